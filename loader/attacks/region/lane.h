/* Acts on the region, the memory that cell and host share. The host calls in_the_region() with a buffer of the reply, and
 * so tells the address of its lane: control words one page before the payload (loader/cell/src/region.rs). result() is
 * called without one, and has nowhere to begin. */
#include <time.h>

enum { SEQUENCE = 0, SLEEPS = 1, STATUS = 2, LENGTH = 4 };

static int lie(volatile uint32_t *lane);

#ifdef IN_THE_REGION
#define in_the_region IN_THE_REGION
#endif

int in_the_region(void *buffer) {
	return lie((volatile uint32_t *)(((uintptr_t)buffer & ~(uintptr_t)4095) - 4096));
}

static int act(void) { return -ENOTSUP; }

/* An answer has been made up: the cell must not make its own. */
__attribute__((unused)) static void stop(void) {
	struct timespec day = { 86400, 0 };
	for (;;) nanosleep(&day, NULL);
}

/* Reads the finest clocks there are, with which caches are spied on; that is permitted. */
/* harmless: runtimes need clocks, and a process of its own keeps the secrets of the host out of reach */
#include "act.h"
#include <time.h>
static int act(void) {
	struct timespec now;
#ifdef __x86_64__
	(void)__builtin_ia32_rdtsc();
#endif
	return outcome(clock_gettime(CLOCK_MONOTONIC, &now));
}

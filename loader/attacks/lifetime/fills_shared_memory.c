/* Takes shared memory, which the kernel does not count as data, past its memory limit. */
/* alone: limits */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	const int flags = MAP_SHARED | MAP_ANONYMOUS;
	return mmap(NULL, 1ul << 24, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED ? -errno : 0;
}

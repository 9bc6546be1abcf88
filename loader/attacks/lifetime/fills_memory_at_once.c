/* Takes a gigabyte in one call, filled before it returns. */
/* alone: limits */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
	return mmap(NULL, 1ul << 30, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED ? -errno : 0;
}

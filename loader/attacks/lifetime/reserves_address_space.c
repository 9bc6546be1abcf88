/* Reserves more address space than any machine has memory. */
/* alone: limits */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	return mmap(NULL, 1ul << 40, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED ? -errno : 0;
}

/* Takes the memory away under everything else in its process, the cell's own code included. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	uintptr_t here = (uintptr_t)&act & ~(uintptr_t)0xfffff;
	return outcome(munmap((void *)(here - (1ul << 32)), 1ul << 33));
}

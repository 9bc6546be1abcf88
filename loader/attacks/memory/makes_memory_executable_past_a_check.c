/* Makes data executable with rubbish in the upper half of the argument, past a 64-bit comparison. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	void *place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (place == MAP_FAILED) return -errno;
	return outcome(syscall(SYS_mprotect, place, 4096, (1ul << 32) | PROT_READ | PROT_EXEC));
}

/* Makes data executable by the call with a protection key, which filters forget. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	void *place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (place == MAP_FAILED) return -errno;
	return outcome(syscall(SYS_pkey_mprotect, place, 4096, PROT_READ | PROT_EXEC, -1));
}

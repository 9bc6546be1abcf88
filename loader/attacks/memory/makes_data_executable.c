/* Makes data executable, so that what it downloaded or computed runs. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	void *place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return place == MAP_FAILED ? -errno : outcome(mprotect(place, 4096, PROT_READ | PROT_EXEC));
}

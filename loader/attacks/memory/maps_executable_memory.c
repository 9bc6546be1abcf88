/* Maps executable memory without a file, to be filled later. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	void *place = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return place == MAP_FAILED ? -errno : 0;
}

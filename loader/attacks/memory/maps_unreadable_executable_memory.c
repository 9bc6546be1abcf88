/* Maps memory that can only be run, which rules on readable memory forget. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	void *place = mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return place == MAP_FAILED ? -errno : 0;
}

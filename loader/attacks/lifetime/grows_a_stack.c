/* Maps memory that grows like a stack and is not counted as data, past its memory limit. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	void *place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
	return place == MAP_FAILED ? -errno : 0;
}

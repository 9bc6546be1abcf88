/* Maps memory that is written and run at once, so that no audit of the file saw the code. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	void *place = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return place == MAP_FAILED ? -errno : 0;
}

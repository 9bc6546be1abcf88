/* Makes memory read-only, so that it stays but no longer counts, past its memory limit. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	/* Relocation does the same while loading. */
	void *place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return place == MAP_FAILED ? -errno : outcome(mprotect(place, 4096, PROT_READ));
}

/* Moves mapped code to where something else was. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	void *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) return -errno;
	void *moved = mremap(page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)page + 4096);
	return moved == MAP_FAILED ? -errno : 0;
}

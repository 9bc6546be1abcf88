/* Touches one byte in every page table, memory of the kernel that no limit of data counts. */
/* alone: limits */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	const size_t size = 1ul << 34;
	char *place = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (place == MAP_FAILED) return -errno;
	for (size_t at = 0; at < size; at += 1 << 21) (void)*(volatile char *)(place + at);
	return 0;
}

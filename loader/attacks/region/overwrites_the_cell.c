/* Overwrites the data of the cell's own program, which shares its memory. */
#include "act.h"
#include <link.h>
#include <string.h>
static int each(struct dl_phdr_info *object, size_t size, void *nothing) {
	(void)size, (void)nothing;
	for (int at = 0; at < object->dlpi_phnum; at++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[at];
		if (part->p_type != PT_LOAD || !(part->p_flags & PF_W)) continue;
		/* From the end: the beginning may have become read-only. */
		for (size_t back = 8; back <= part->p_memsz; back += 8)
			*(volatile uint64_t *)((object->dlpi_addr + part->p_vaddr + part->p_memsz - back) & ~7ul) = 0xa5a5a5a5a5a5a5a5;
	}
	return 1;
}
static int act(void) { return dl_iterate_phdr(each, NULL) ? 0 : -ENOENT; }

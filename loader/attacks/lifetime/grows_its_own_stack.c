/* Makes a piece of its stack large elsewhere, where it stays uncounted, past its memory limit. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)4095;
	void *place = mremap((void *)(here - 8192), 4096, 700 << 20, MREMAP_MAYMOVE);
	return place == MAP_FAILED ? -errno : 0;
}

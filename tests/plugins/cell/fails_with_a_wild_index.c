/* A cell that could not open a granted path which there is not. */
#include "zygote.h"
static void cell(void) {
	volatile uint32_t *lane = receive_region();
	/* The step of paths, ENOENT, the largest index. */
	memcpy((void *)(lane + 1024), "\6\4\377\377\377\377\17", 7);
	lane[2] = 3;
	lane[4] = 7;
	lane[0]++;
	pause();
}

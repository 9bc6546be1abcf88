/* A cell that says it is confined, and is not. */
#include "zygote.h"
static void cell(void) {
	volatile uint32_t *lane = receive_region();
	lane[2] = 5;
	lane[0]++;
	pause();
}

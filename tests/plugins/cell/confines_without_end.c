/* A cell that says it is confined again and again. */
#include "zygote.h"
static void cell(void) {
	volatile uint32_t *lane = receive_region();
	lane[2] = 5;
	for (;;) lane[0]++;
}

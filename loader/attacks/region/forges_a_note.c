/* Notes a violation that did not happen, and crashes, to be taken for something else. */
#include "act.h"
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	volatile uint64_t *note = (volatile uint64_t *)((volatile char *)lane - 4096);
	note[1] = 0; note[2] = 31; note[3] = 59;
	note[0] = 2;
	*(volatile int *)8 = 1;
	return 0;
}

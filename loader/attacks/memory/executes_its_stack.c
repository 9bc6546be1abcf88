/* Runs what lies on its stack, the oldest exploit there is. */
#include "act.h"
static int act(void) {
	volatile unsigned char code[16] = { 0xc3, 0xc3 };
	((void (*)(void))code)();
	return 0;
}

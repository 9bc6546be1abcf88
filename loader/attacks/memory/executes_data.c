/* Runs data as it is, without asking anybody. */
#include "act.h"
static int act(void) {
	static volatile unsigned char code[16] = { 0xc3, 0xc3 };
	((void (*)(void))code)();
	return 0;
}

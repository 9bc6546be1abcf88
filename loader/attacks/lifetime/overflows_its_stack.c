/* Calls itself until its stack is full. */
#include "act.h"
static int deeper(volatile char *above) {
	volatile char here[4096];
	here[0] = above[0];
	return deeper(here) + here[1];
}
static int act(void) { volatile char top[1] = { 1 }; return deeper(top); }

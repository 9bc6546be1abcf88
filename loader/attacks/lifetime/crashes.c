#include "act.h"
static int act(void) { *(volatile int *)8 = 1; return 0; }

/* Writes to an address where nothing is, which would crash the host if it ran inside it. */
#include "act.h"
static int act(void) { *(volatile int *)8 = 1; return 0; }

/* Becomes root in all three of its ids. */
#include "act.h"
static int act(void) { return outcome(setresuid(0, 0, 0)); }

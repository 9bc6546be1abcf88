/* Becomes root. */
#include "act.h"
static int act(void) { return outcome(setuid(0)); }

/* Hangs up the terminal for everybody who uses it. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(vhangup()); }

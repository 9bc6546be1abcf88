/* Hangs up the terminal for everybody who uses it. */
#include "act.h"
static int act(void) { return outcome(vhangup()); }

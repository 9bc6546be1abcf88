/* Enters a namespace through a descriptor it may have inherited. */
#include "act.h"
#include <sched.h>
static int act(void) { return outcome(setns(0, 0)); }

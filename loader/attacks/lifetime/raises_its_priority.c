/* Runs before everything else on the machine. */
#include "act.h"
#include <sys/resource.h>
static int act(void) { return outcome(setpriority(PRIO_PROCESS, 0, -20)); }

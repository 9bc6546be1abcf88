/* Gives the host the lowest priority, so that every other process runs before it. */
#include "act.h"
#include <sys/resource.h>
static int act(void) { return outcome(setpriority(PRIO_PROCESS, the_host(), 19)); }

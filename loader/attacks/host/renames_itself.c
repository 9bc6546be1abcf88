/* Gives itself a name with a terminal escape, for whoever lists processes. */
#include "act.h"
#include <sys/prctl.h>
static int act(void) { return outcome(prctl(PR_SET_NAME, "\033]0;owned", 0, 0, 0)); }

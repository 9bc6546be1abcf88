/* Makes a namespace of networks, in which it may configure the kernel's network code. */
#include "act.h"
#include <sched.h>
static int act(void) { return outcome(unshare(CLONE_NEWNET)); }

/* Makes a user namespace, in which it is root and reaches more of the kernel. */
#include "act.h"
#include <sched.h>
static int act(void) { return outcome(unshare(CLONE_NEWUSER)); }

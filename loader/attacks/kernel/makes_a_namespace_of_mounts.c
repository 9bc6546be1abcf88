/* Makes a namespace of mounts, where it could mount what it likes. */
#include "act.h"
#include <sched.h>
static int act(void) { return outcome(unshare(CLONE_NEWNS)); }

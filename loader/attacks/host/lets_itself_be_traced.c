/* Makes itself dumpable again, so that other processes of the user could read and steer it. */
#include "act.h"
#include <sys/prctl.h>
static int act(void) { return outcome(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }

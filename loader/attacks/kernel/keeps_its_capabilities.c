/* Arranges that capabilities survive a change of user. */
#include "act.h"
#include <sys/prctl.h>
static int act(void) { return outcome(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)); }

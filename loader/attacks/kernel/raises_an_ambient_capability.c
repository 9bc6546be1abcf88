/* Arranges that a program it starts has a capability. */
#include "act.h"
#include <sys/prctl.h>
static int act(void) { return outcome(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)); }

/* Arranges to live on when the host dies. */
#include "act.h"
#include <sys/prctl.h>
static int act(void) { return outcome(prctl(PR_SET_PDEATHSIG, 0)); }

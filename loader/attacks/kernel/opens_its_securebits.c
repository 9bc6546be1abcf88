/* Gives root its special rights back, which the cell had locked. */
#include "act.h"
#include <sys/prctl.h>
static int act(void) { return outcome(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0)); }

/* Makes a system call that does not exist yet, as a filter with a list of refusals would let pass. */
#include "act.h"
static int act(void) { return outcome(syscall(4000)); }

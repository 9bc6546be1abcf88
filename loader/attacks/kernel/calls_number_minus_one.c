/* Makes system call -1, which careless tracers turn into another. */
#include "act.h"
static int act(void) { return outcome(syscall(-1)); }

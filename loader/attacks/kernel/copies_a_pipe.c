/* Makes two pipes share their pages. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_tee, 0, 1, 1, 0)); }

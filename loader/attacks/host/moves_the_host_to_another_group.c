/* Moves the host into another process group, away from its terminal. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_setpgid, the_host(), the_host())); }

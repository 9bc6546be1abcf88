/* Has the kernel restore a state that it made up, and jumps with it where it likes. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_rt_sigreturn)); }

/* Takes the swap away, and with it memory from everybody. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_swapoff, "/tmp/lazaret-swap")); }

/* Has the kernel swap into a file of its choice. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_swapon, "/tmp/lazaret-swap", 0)); }

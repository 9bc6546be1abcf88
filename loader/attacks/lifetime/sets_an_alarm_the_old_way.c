/* Has the kernel interrupt it by the oldest of timers. */
#include "act.h"
#ifdef SYS_alarm
static int act(void) { return outcome(syscall(SYS_alarm, 1000)); }
#else
static int act(void) { return -ENOSYS; }
#endif

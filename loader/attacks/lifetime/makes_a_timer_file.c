/* Makes a timer that is a descriptor. */
/* permitted by: syscalls.allow timerfd_create */
#include "act.h"
#include <time.h>
static int act(void) { return outcome(syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0)); }

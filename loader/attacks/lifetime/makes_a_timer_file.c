/* Makes a timer that is a descriptor. */
#include "act.h"
#include <time.h>
static int act(void) { return outcome(syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0)); }

/* Sets a clock of the machine. */
/* alone: never */
#include "act.h"
#include <time.h>
static int act(void) { return outcome(clock_settime(CLOCK_REALTIME, &(struct timespec){ 1, 0 })); }

/* Has the kernel interrupt it a thousand times in a second. */
/* permitted by: syscalls.allow setitimer */
#include "act.h"
#include <sys/time.h>
static int act(void) {
	struct itimerval soon = { { 1000, 0 }, { 1000, 0 } };
	return outcome(setitimer(ITIMER_REAL, &soon, NULL));
}

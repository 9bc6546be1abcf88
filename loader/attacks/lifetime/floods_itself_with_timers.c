/* Makes timers until the kernel has no room for them. */
/* alone: limits */
#include "act.h"
#include <signal.h>
#include <time.h>
static int act(void) {
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	for (int count = 0; count < 100; count++)
		if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0) return -errno;
	return 0;
}

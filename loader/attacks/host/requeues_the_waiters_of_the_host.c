/* Moves whoever waits on a shared word to another one, where no wake would ever find the host. */
#include "act.h"
#include <linux/futex.h>
static int act(void) {
	uint32_t here = 0, there = 0;
	return outcome(syscall(SYS_futex, &here, FUTEX_REQUEUE, 0, 1, &there, 0));
}

/* Gives the host only idle time, through the call that takes every attribute at once. */
#include "act.h"
static int act(void) {
	struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t times[3]; } idle = {
		.size = 48, .policy = 5,
	};
	return outcome(syscall(SYS_sched_setattr, the_host(), &idle, 0));
}

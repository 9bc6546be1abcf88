/* Moves the waiters of a shared word elsewhere, by a call newer than most filters. */
#include "act.h"
#ifndef SYS_futex_requeue
#define SYS_futex_requeue 456
#endif
static int act(void) {
	uint32_t words[2] = { 0, 0 };
	struct { uint64_t value, address; uint32_t flags, reserved; } pair[2] = {
		{ 0, (uintptr_t)&words[0], 2, 0 }, { 0, (uintptr_t)&words[1], 2, 0 },
	};
	return outcome(syscall(SYS_futex_requeue, pair, 0, 0, 1));
}

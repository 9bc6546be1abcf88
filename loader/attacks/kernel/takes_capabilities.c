/* Gives itself every capability. */
#include "act.h"
static int act(void) {
	uint32_t head[2] = { 0x20080522, 0 }, sets[6] = { 0 };
	if (syscall(SYS_capget, head, sets) < 0) return -errno;
	return outcome(syscall(SYS_capset, head, sets));
}

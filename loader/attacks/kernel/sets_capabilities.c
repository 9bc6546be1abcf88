/* Gives itself every capability, without having asked which it has. */
#include "act.h"
static int act(void) {
	uint32_t head[2] = { 0x20080522, 0 }, sets[6] = { ~0u, ~0u, 0, ~0u, ~0u, 0 };
	return outcome(syscall(SYS_capset, head, sets));
}

/* Takes the report's signal with rubbish in the upper half of its number, past a 64-bit check. */
#include "act.h"
#include <signal.h>
static int act(void) {
	struct { uintptr_t handler, flags, restorer; uint64_t mask; } ignore = { 1, 0, 0, 0 };
	return outcome(syscall(SYS_rt_sigaction, (1ul << 32) | SIGSYS, &ignore, NULL, 8));
}

/* Makes a ring that does what system calls do, without any filter seeing it. */
#include "act.h"
static int act(void) {
	char parameters[256] = { 0 };
	return outcome(syscall(SYS_io_uring_setup, 8, parameters));
}

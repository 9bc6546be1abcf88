/* Makes a process that is the host's child, which a host that waits for any child would reap. */
#include "act.h"
#include <sched.h>
#include <signal.h>
static int act(void) {
	long child = raw(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0);
	if (child == 0) _exit(0);
	return child < 0 ? (int)child : 0;
}

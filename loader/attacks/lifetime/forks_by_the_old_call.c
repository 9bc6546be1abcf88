/* Makes a process by the call that libraries no longer use and filters forget. */
/* contained by: namespaces */
#include "act.h"
#ifdef SYS_fork
static int act(void) {
	long child = raw(SYS_fork, 0, 0, 0);
	if (child == 0) _exit(0);
	return child < 0 ? (int)child : 0;
}
#else
static int act(void) { return -ENOSYS; }
#endif

/* Starts what looks like a thread, with namespaces in the flags. */
#include "act.h"
#include <sched.h>
static int act(void) {
	static char stack[65536];
	const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWUSER;
	return (int)raw(SYS_clone, flags, (long)(stack + sizeof stack), 0);
}

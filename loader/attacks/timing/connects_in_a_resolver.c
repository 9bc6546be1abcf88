/* Opens a socket while its symbols are resolved, before any constructor. */
/* permitted by: syscalls.allow socket */
#include "act.h"
#include <features.h>
#ifdef __GLIBC__
static long came = 1;
static int chosen(void) { return came < 0 ? (int)came : 0; }
/* Runs before relocation is done: nothing may be called. */
__attribute__((used)) static int (*choose(void))(void) {
	came = raw(SYS_socket, 2, 1, 0);
	return chosen;
}
static int resolved(void) __attribute__((ifunc("choose")));
static int act(void) { return resolved(); }
#else
static int act(void) { return -ENOSYS; }
#endif

/* Starts a process by the call whose flags lie behind a pointer, where no filter can look. */
#include "act.h"
#include <signal.h>
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
static int act(void) {
	uint64_t arguments[11] = { 0, 0, 0, 0, SIGCHLD };
	long child = raw(SYS_clone3, (long)arguments, 88, 0);
	if (child == 0) _exit(0);
	return child < 0 ? (int)child : 0;
}

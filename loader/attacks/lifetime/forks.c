/* Makes a process that lives on when the cell is killed. */
#include "act.h"
static int act(void) {
	long child = fork();
	if (child == 0) _exit(0);
	return outcome(child);
}

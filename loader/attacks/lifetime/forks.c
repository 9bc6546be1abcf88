/* Makes a process that lives on when the cell is killed. */
/* contained by: namespaces */
#include "act.h"
static int act(void) {
	long child = fork();
	if (child == 0) _exit(0);
	return outcome(child);
}

/* Leaves a child that holds every pipe open, at which a reader would wait for ever. */
/* alone: namespaces */
/* contained by: namespaces */
#include "act.h"
static int act(void) {
	long child = fork();
	if (child == 0) {
		usleep(100000);
		_exit(0);
	}
	return outcome(child);
}

/* Forks twice and lets its parent end, so that nobody would find the process that stays. */
/* alone: never */
/* contained by: namespaces */
#include "act.h"
static int act(void) {
	long child = fork();
	if (child < 0) return -errno;
	if (child == 0) {
		setsid();
		_exit(fork() < 0);
	}
	return 0;
}

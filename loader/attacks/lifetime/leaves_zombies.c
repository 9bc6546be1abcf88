/* Makes children that nobody reaps. */
/* alone: limits */
/* contained by: namespaces */
#include "act.h"
static int act(void) {
	for (int count = 0; count < 20; count++) {
		long child = fork();
		if (child < 0) return -errno;
		if (child == 0) _exit(0);
	}
	return 0;
}

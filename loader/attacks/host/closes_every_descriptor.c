/* Closes every descriptor: what it still found open would have been a way to the host. */
/* fails with: 3 */
#include "act.h"
static int act(void) {
	int closed = 0;
	for (int fd = 0; fd < 1024; fd++) closed += close(fd) == 0;
	return closed;
}

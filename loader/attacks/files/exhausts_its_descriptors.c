/* Opens descriptors until there are none left. */
/* alone: limits */
#include "act.h"
static int act(void) {
	for (int count = 0; count < 5000; count++)
		if (syscall(SYS_eventfd2, 0, 0) < 0) return -errno;
	return 0;
}

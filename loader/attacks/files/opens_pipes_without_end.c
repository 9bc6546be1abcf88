/* Opens pipes until there are none left, with 64 KiB of the kernel's memory each. */
/* alone: limits */
#include "act.h"
static int act(void) {
	int ends[2];
	for (int count = 0; count < 5000; count++)
		if (syscall(SYS_pipe2, ends, 0) < 0) return -errno;
	return 0;
}

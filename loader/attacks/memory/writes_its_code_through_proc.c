/* Writes into its own code through /proc, past every protection of memory. */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	int fd = open("/proc/self/mem", O_RDWR);
	if (fd < 0) return -errno;
	return outcome(pwrite(fd, (void *)&act, 1, (off_t)(uintptr_t)&act));
}

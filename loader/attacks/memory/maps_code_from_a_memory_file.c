/* Writes code into a file in memory and maps that, which the kernel's own rule lets pass. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	long fd = syscall(SYS_memfd_create, "code", 0);
	if (fd < 0) return -errno;
	if (write(fd, "\xc3", 1) != 1) return -errno;
	return mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -errno : 0;
}

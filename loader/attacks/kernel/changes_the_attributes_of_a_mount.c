/* Makes a read-only mount writable. */
#include "act.h"
#include <fcntl.h>
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
static int act(void) {
	uint64_t attributes[4] = { 0, 1, 0, 0 };
	return outcome(syscall(SYS_mount_setattr, AT_FDCWD, "/tmp", 0, attributes, sizeof attributes));
}

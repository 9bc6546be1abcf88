/* Reads a file with the call whose flags lie behind a pointer, where no filter can look. */
/* permitted by: files.read /etc/passwd */
#include "act.h"
#include <fcntl.h>
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
static int act(void) {
	uint64_t how[3] = { O_RDONLY };
	return outcome(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof how));
}

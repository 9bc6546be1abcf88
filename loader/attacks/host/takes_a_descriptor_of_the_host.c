/* Takes an open file out of the host, whatever the host may read. */
/* alone: apart apparmor */
#include "act.h"
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
static int act(void) {
	long host = syscall(SYS_pidfd_open, the_host(), 0);
	/* Not asked whether that worked: the second call is an act of its own. */
	return outcome(syscall(SYS_pidfd_getfd, host < 0 ? 0 : host, 0, 0));
}

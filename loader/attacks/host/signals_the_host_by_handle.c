/* Signals the host through a handle, which no check of process ids sees. */
/* alone: apart apparmor */
#include "act.h"
#include <signal.h>
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
static int act(void) {
	long host = syscall(SYS_pidfd_open, the_host(), 0);
	return outcome(syscall(SYS_pidfd_send_signal, host < 0 ? 0 : host, SIGTERM, NULL, 0));
}

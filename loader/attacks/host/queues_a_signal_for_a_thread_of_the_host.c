/* Sends a thread of the host a signal with a forged origin. */
#include "act.h"
#include <signal.h>
static int act(void) {
	siginfo_t info = { .si_signo = SIGTERM, .si_code = SI_QUEUE };
	return outcome(syscall(SYS_rt_tgsigqueueinfo, the_host(), the_host(), SIGTERM, &info));
}

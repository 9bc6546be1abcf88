/* Blocks the signal that reports violations, and starts another program. */
/* succeeds with: exit 0 */
#include "act.h"
#include <signal.h>
static int act(void) {
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	char *arguments[] = { "true", NULL };
	return outcome(syscall(SYS_execve, "/bin/true", arguments, NULL));
}

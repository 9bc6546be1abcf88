/* Opens a socket in the handler of an alarm. */
/* permitted by: syscalls.allow socket, syscalls.allow setitimer */
#include "act.h"
#include <sys/socket.h>
#include <signal.h>
#include <sys/time.h>
static int came = 1;
static void caught(int signal) {
	(void)signal;
	came = outcome(socket(AF_INET, SOCK_STREAM, 0));
}
static int act(void) {
	struct itimerval soon = { { 0, 0 }, { 0, 1000 } };
	signal(SIGALRM, caught);
	if (setitimer(ITIMER_REAL, &soon, NULL) < 0) return -errno;
	while (came == 1) usleep(1000);
	return came;
}

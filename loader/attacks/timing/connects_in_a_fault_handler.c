/* Crashes on purpose and opens a socket in the handler. */
/* permitted by: syscalls.allow socket */
#include "act.h"
#include <sys/socket.h>
#include <setjmp.h>
#include <signal.h>
static int came = 1;
static sigjmp_buf back;
static void caught(int signal) {
	came = outcome(socket(AF_INET, SOCK_STREAM, 0));
	siglongjmp(back, signal);
}
static int act(void) {
	signal(SIGSEGV, caught);
	if (!sigsetjmp(back, 1)) *(volatile int *)8 = 1;
	return came;
}

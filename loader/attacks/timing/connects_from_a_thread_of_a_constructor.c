/* Opens a socket from a thread that a constructor started, while the filters are changed. */
/* permitted by: syscalls.allow socket */
#include "act.h"
#include <sys/socket.h>
#include <pthread.h>
static int came = 1;
static pthread_t thread;
static void *other(void *nothing) {
	came = outcome(socket(AF_INET, SOCK_STREAM, 0));
	return nothing;
}
__attribute__((constructor)) static void start(void) { pthread_create(&thread, NULL, other, NULL); }
static int act(void) {
	pthread_join(thread, NULL);
	return came;
}

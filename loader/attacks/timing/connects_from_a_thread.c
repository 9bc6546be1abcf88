/* Opens a socket from a thread of its own. */
/* permitted by: syscalls.allow socket */
#include "act.h"
#include <sys/socket.h>
#include <pthread.h>
static int came = 1;
static void *other(void *nothing) {
	came = outcome(socket(AF_INET, SOCK_STREAM, 0));
	return nothing;
}
static int act(void) {
	pthread_t thread;
	int error = pthread_create(&thread, NULL, other, NULL);
	if (error) return -error;
	pthread_join(thread, NULL);
	return came;
}

/* Opens a socket in the destructor of a thread's data. */
/* permitted by: syscalls.allow socket */
#include "act.h"
#include <sys/socket.h>
#include <pthread.h>
static int came = 1;
static pthread_key_t key;
static void last(void *nothing) {
	(void)nothing;
	came = outcome(socket(AF_INET, SOCK_STREAM, 0));
}
static void *other(void *nothing) {
	pthread_setspecific(key, &came);
	return nothing;
}
static int act(void) {
	if (pthread_key_create(&key, last)) return -EAGAIN;
	pthread_t thread;
	int error = pthread_create(&thread, NULL, other, NULL);
	if (error) return -error;
	pthread_join(thread, NULL);
	return came;
}

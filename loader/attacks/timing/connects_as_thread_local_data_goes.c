/* Opens a socket where C++ ends the thread-local objects of a thread. */
/* permitted by: syscalls.allow socket */
#include "act.h"
#include <sys/socket.h>
#include <pthread.h>
static int came = 1;
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));
static void last(void *nothing) {
	(void)nothing;
	came = outcome(socket(AF_INET, SOCK_STREAM, 0));
}
static void *other(void *nothing) {
	if (__cxa_thread_atexit_impl) __cxa_thread_atexit_impl(last, NULL, &__dso_handle);
	return nothing;
}
static int act(void) {
	pthread_t thread;
	int error = pthread_create(&thread, NULL, other, NULL);
	if (error) return -error;
	pthread_join(thread, NULL);
	return came;
}

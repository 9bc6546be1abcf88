/* Ends the thread that serves calls and leaves another, so that the process never ends. */
#include "act.h"
#include <pthread.h>
#include <time.h>
static void *stay(void *nothing) {
	struct timespec day = { 86400, 0 };
	for (;;) nanosleep(&day, NULL);
	return nothing;
}
static int act(void) {
	pthread_t thread;
	int error = pthread_create(&thread, NULL, stay, NULL);
	if (error) return -error;
	syscall(SYS_exit, 0);
	return 0;
}

/* Starts threads in a constructor until none are left, so that the filters have many to reach. */
/* alone: limits */
#include "act.h"
#include <pthread.h>
#include <time.h>
static int came;
static void *wait(void *nothing) {
	struct timespec minute = { 60, 0 };
	nanosleep(&minute, NULL);
	return nothing;
}
__attribute__((constructor)) static void start(void) {
	pthread_t thread;
	while (!came) came = -pthread_create(&thread, NULL, wait, NULL);
}
static int act(void) { return came; }

/* Starts threads until the machine has no room for more. */
/* alone: limits */
#include "act.h"
#include <pthread.h>
#include <time.h>
static void *wait(void *nothing) {
	struct timespec minute = { 60, 0 };
	nanosleep(&minute, NULL);
	return nothing;
}
static int act(void) {
	for (int count = 0; count < 10000; count++) {
		pthread_t thread;
		int error = pthread_create(&thread, NULL, wait, NULL);
		if (error) return -error;
	}
	return 0;
}

/* Leaves a thread while loading, to do later what only loading may do. */
#include "act.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
/* The thread waits until calls are served. */
static _Atomic int go, came = 1;
static void *later(void *nothing) {
	while (!go) sched_yield();
	came = open("/etc/passwd", O_PATH) < 0 ? -errno : 0;
	return nothing;
}
__attribute__((constructor)) static void start(void) {
	pthread_t thread;
	pthread_create(&thread, NULL, later, NULL);
}
static int act(void) {
	go = 1;
	struct timespec pause = { 0, 1000000 };
	while (came == 1) nanosleep(&pause, NULL);
	return came;
}

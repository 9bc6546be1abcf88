/* A constructor starts a thread, which waits until calls are served and then does what only loading needs. */
#include "act.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
static _Atomic int go, came = 1;
static int act(void) { return 0; }
static void *later(void *nothing) {
	while (!go) sched_yield();
	came = open("/etc/passwd", O_PATH) < 0 ? -errno : 0;
	return nothing;
}
__attribute__((constructor)) static void start(void) {
	pthread_t thread;
	pthread_create(&thread, NULL, later, NULL);
}
int wait_for_it(void) {
	go = 1;
	struct timespec pause = { 0, 1000000 };
	while (came == 1) nanosleep(&pause, NULL);
	return came;
}

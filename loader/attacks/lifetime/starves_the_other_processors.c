/* Keeps every processor busy from as many threads as it may have. */
/* alone: limits */
#include "act.h"
#include <pthread.h>
static void *burn(void *nothing) {
	for (volatile int turn = 0;; turn++) { }
	return nothing;
}
static int act(void) {
	pthread_t thread;
	for (int count = 0; count < 4; count++)
		if (pthread_create(&thread, NULL, burn, NULL)) return -EAGAIN;
	burn(NULL);
	return 0;
}

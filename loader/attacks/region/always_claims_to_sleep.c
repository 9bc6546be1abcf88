/* Claims to sleep while it is awake, so that the host makes a system call for every request. */
/* harmless: the host makes one system call for each request, as for every cell that sleeps */
#include "act.h"
#include <pthread.h>
#include "lane.h"
static void *claim(void *lane) {
	for (;;) ((volatile uint32_t *)lane)[SLEEPS] = 1;
}
static int lie(volatile uint32_t *lane) {
	pthread_t thread;
	if (pthread_create(&thread, NULL, claim, (void *)lane)) return -EAGAIN;
	return 0;
}

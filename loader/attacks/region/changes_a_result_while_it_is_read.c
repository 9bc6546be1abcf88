/* Changes the result and the buffers of its reply while the host copies them. */
/* harmless: results are the plugin's own to choose, and the host looks at a copy */
#include "act.h"
#include <pthread.h>
#include "lane.h"
static void *flip(void *payload) {
	for (uint32_t word = 0;; word++)
		for (int at = 0; at < 16; at++) ((volatile uint32_t *)payload)[at] = word * 2654435761u;
}
static int lie(volatile uint32_t *lane) {
	pthread_t thread;
	if (pthread_create(&thread, NULL, flip, (void *)(lane + 1024))) return -EAGAIN;
	return 0;
}

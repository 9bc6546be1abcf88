/* Has another thread answer, while the call goes on and changes the buffers. */
/* harmless: an answer is the plugin's own to give, and the host copies it before it looks */
#include "act.h"
#include <pthread.h>
#include "lane.h"
static void *answer(void *of) {
	volatile uint32_t *lane = of;
	lane[STATUS] = 0;
	lane[LENGTH] = 32;
	__atomic_store_n(&lane[SEQUENCE], lane[SEQUENCE] + 1, __ATOMIC_SEQ_CST);
	return NULL;
}
static int lie(volatile uint32_t *lane) {
	pthread_t thread;
	if (pthread_create(&thread, NULL, answer, (void *)lane)) return -EAGAIN;
	for (uint32_t word = 0;; word++) lane[1024 + word % 16] = word;
}

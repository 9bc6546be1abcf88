/* Changes length and status of its reply again and again, while the host checks and uses them. */
/* harmless: the host reads each word once, and takes it for a reply or a lie */
#include "act.h"
#include <pthread.h>
#include "lane.h"
static void *flip(void *lane) {
	for (;;) {
		((volatile uint32_t *)lane)[LENGTH] = 0xfffffff0;
		((volatile uint32_t *)lane)[STATUS] = 77;
		((volatile uint32_t *)lane)[LENGTH] = 32;
		((volatile uint32_t *)lane)[STATUS] = 0;
	}
}
static int lie(volatile uint32_t *lane) {
	pthread_t thread;
	if (pthread_create(&thread, NULL, flip, (void *)lane)) return -EAGAIN;
	return 0;
}

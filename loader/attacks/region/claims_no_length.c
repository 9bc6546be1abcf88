/* Answers with less than the buffers it was asked to fill, so that the host would read old bytes. */
#include "act.h"
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	lane[STATUS] = 0;
	lane[LENGTH] = 0;
	__atomic_store_n(&lane[SEQUENCE], lane[SEQUENCE] + 1, __ATOMIC_SEQ_CST);
	stop();
	return 0;
}

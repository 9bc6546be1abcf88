/* Answers a request that nobody made. */
#include "act.h"
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	__atomic_store_n(&lane[SEQUENCE], lane[SEQUENCE] + 2, __ATOMIC_SEQ_CST);
	stop();
	return 0;
}

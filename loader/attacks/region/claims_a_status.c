/* Answers with a status that does not exist. */
#include "act.h"
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	lane[STATUS] = 77;
	lane[LENGTH] = 32;
	__atomic_store_n(&lane[SEQUENCE], lane[SEQUENCE] + 1, __ATOMIC_SEQ_CST);
	stop();
	return 0;
}

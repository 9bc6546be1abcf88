/* Answers with a length that is one byte longer than a message. */
#include "act.h"
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	lane[STATUS] = 0;
	lane[LENGTH] = (1 << 20) + 1;
	__atomic_store_n(&lane[SEQUENCE], lane[SEQUENCE] + 1, __ATOMIC_SEQ_CST);
	stop();
	return 0;
}

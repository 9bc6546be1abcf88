/* Answers with a length that no message has, so that the host would read past its memory. */
#include "act.h"
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	lane[STATUS] = 0;
	lane[LENGTH] = 0xfffffff0;
	__atomic_store_n(&lane[SEQUENCE], lane[SEQUENCE] + 1, __ATOMIC_SEQ_CST);
	stop();
	return 0;
}

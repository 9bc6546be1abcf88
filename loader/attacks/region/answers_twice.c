/* Answers a request, and then answers it once more. */
/* harmless: nobody waits for the second answer, and the next request finds it out */
#include "act.h"
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	lane[STATUS] = 0;
	lane[LENGTH] = 32;
	__atomic_store_n(&lane[SEQUENCE], lane[SEQUENCE] + 1, __ATOMIC_SEQ_CST);
	/* Returning makes the cell answer as well. */
	return 0;
}

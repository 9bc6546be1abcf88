/* Wakes the host again and again without an answer, to keep its processor busy for nothing. */
#include "act.h"
#include <linux/futex.h>
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	for (;;) {
		lane[SLEEPS] = 1;
		syscall(SYS_futex, &lane[SEQUENCE], FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

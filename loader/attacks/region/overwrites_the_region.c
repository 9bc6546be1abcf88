/* Overwrites everything it shares with the host: note, control words and payload. */
#include "act.h"
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	volatile unsigned char *start = (volatile unsigned char *)lane - 4096;
	for (size_t at = 0; at < 3 * 4096; at++) start[at] = 0xa5;
	stop();
	return 0;
}

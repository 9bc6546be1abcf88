/* Writes random words over everything it shares with the host, while the host waits. */
#include "act.h"
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	uint32_t random = 88172645;
	for (int count = 0; count < 3000000; count++) {
		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		lane[(int)(random % 2048) - 1024] = random * 2654435761u;
	}
	stop();
	return 0;
}

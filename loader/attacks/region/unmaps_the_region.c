/* Takes away what it shares with the host, under the cell's own feet. */
#include "act.h"
#include <sys/mman.h>
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	return outcome(munmap((void *)((char *)lane - 4096), 1 << 20));
}

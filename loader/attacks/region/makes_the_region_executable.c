/* Makes the memory it shares with the host executable. */
#include "act.h"
#include <sys/mman.h>
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	return outcome(mprotect((void *)lane, 4096, PROT_READ | PROT_EXEC));
}

/* Makes the kernel forget what it shares with the host, which would read zeros. */
#include "act.h"
#include <sys/mman.h>
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	return outcome(madvise((void *)lane, 4096, MADV_REMOVE));
}

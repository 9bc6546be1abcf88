/* Makes processes that make processes, until the machine can make no more. */
/* alone: never */
#include "act.h"
static int act(void) {
	for (;;)
		if (fork() < 0) return -errno;
}

/* Takes random numbers without end, which costs nobody anything any more. */
/* harmless: the kernel makes as many as anybody asks for */
#include "act.h"
#include <sys/random.h>
static int act(void) {
	char bytes[256];
	for (int count = 0; count < 1000; count++)
		if (getrandom(bytes, sizeof bytes, 0) < 0) return -errno;
	return 0;
}

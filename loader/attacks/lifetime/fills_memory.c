/* Takes all the memory there is. */
/* alone: limits */
#include "act.h"
#include <stdlib.h>
#include <string.h>
static int act(void) {
	for (;;) {
		char *more = malloc(1 << 16);
		memset(more, 1, 1 << 16);
	}
}

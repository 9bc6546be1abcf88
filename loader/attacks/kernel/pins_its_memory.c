/* Pins memory, so that nothing else can use it. */
#include "act.h"
#include <sys/mman.h>
static int act(void) {
	static char page[4096];
	return outcome(mlock(page, sizeof page));
}

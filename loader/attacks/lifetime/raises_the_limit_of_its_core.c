/* Asks for core dumps without limit, to fill the disk by crashing. */
#include "act.h"
#include <sys/resource.h>
static int act(void) {
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	return outcome(setrlimit(RLIMIT_CORE, &none));
}

/* Confines the host to one processor, where it would wait for whatever else runs there. */
#include "act.h"
#include <sched.h>
static int act(void) {
	cpu_set_t first;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	return outcome(sched_setaffinity(the_host(), sizeof first, &first));
}

/* Changes the scheduling parameters of the host. */
#include "act.h"
#include <sched.h>
static int act(void) {
	struct sched_param none = { 0 };
	return outcome(sched_setparam(the_host(), &none));
}

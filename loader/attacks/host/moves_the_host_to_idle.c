/* Gives the host only the processor time that nobody else wants. */
#include "act.h"
#include <sched.h>
static int act(void) {
	struct sched_param none = { 0 };
	return outcome(sched_setscheduler(the_host(), SCHED_IDLE, &none));
}

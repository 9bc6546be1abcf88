/* Runs before everything else on the machine, until it gives way by itself. */
#include "act.h"
#include <sched.h>
static int act(void) { return outcome(sched_setscheduler(0, SCHED_RR, &(struct sched_param){ 1 })); }

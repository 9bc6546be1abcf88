/* Kills every process it may signal, the host among them. */
/* alone: apart */
/* alone: own-user */
#include "act.h"
#include <signal.h>
static int act(void) { return outcome(kill(-1, SIGKILL)); }

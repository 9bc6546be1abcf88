/* Kills itself, to end without a trace of what it did. */
#include "act.h"
#include <signal.h>
static int act(void) { return outcome(kill(getpid(), SIGKILL)); }

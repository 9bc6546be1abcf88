/* Asks the host to end, which would have taken every other cell along. */
/* alone: apart apparmor */
#include "act.h"
#include <signal.h>
static int act(void) { return outcome(kill(the_host(), SIGTERM)); }

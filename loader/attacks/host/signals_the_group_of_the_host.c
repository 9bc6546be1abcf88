/* Kills the process group of the host, its shell included. */
/* alone: apart */
/* fails with: 0 */
/* alone: own-user */
#include "act.h"
#include <signal.h>
static int act(void) { return outcome(kill(-getpgid(the_host()), SIGKILL)); }

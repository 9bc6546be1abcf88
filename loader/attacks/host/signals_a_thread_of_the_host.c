/* Ends the host through one of its threads. */
/* alone: apart apparmor */
#include "act.h"
#include <signal.h>
static int act(void) { return outcome(syscall(SYS_tkill, the_host(), SIGTERM)); }

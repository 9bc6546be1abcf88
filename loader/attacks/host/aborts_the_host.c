/* Aborts the host, which would then be gone, with every other cell. */
#include "act.h"
#include <signal.h>
static int act(void) { return outcome(syscall(SYS_tgkill, the_host(), the_host(), SIGABRT)); }

/* Attaches to the host as its debugger, which may read and change everything. */
/* alone: apart apparmor */
#include "act.h"
#include <sys/ptrace.h>
static int act(void) { return outcome(ptrace(PTRACE_ATTACH, the_host(), 0, 0)); }

#include "act.h"
#include <signal.h>
static int act(void) { return outcome(syscall(SYS_tgkill, getppid(), getppid(), SIGABRT)); }

/* Ignores the signal that reports violations. */
#include "act.h"
#include <signal.h>
static int act(void) { return signal(SIGSYS, SIG_IGN) == SIG_ERR ? -errno : 0; }

/* Reads the log of the kernel, with addresses and what other programs did. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_syslog, 10, NULL, 0)); }

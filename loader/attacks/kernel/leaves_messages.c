/* Makes a message queue that every cell of the user can read. */
/* alone: namespaces */
/* contained by: namespaces */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_msgget, 0x6c7a, 01600)); }

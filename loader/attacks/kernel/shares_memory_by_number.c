/* Makes memory that every cell of the user can attach. */
/* alone: namespaces */
/* contained by: namespaces */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_shmget, 0x6c7a, 4096, 01600)); }

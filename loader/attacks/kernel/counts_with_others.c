/* Makes a semaphore that every cell of the user can use. */
/* permitted by: syscalls.allow semget */
/* alone: namespaces */
/* contained by: namespaces */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_semget, 0x6c7a, 1, 01600)); }

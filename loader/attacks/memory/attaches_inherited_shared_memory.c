/* Attaches shared memory by its number, executable. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_shmat, 0, NULL, 0100000)); }

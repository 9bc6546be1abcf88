/* Loads code into the kernel from memory. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_init_module, "x", 1, "")); }

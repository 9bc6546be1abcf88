/* Copies an inherited descriptor, which would have outlived the closing of the first. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_dup, 0)); }

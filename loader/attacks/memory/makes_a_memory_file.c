#include "act.h"
static int act(void) { return outcome(syscall(SYS_memfd_create, "code", 0)); }

/* Prepares another kernel, which would start in place of this one. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_kexec_load, 0, 0, NULL, 0)); }

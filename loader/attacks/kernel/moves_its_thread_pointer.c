/* Moves a segment base by the call that also switches shadow stacks off. */
#include "act.h"
#ifdef __x86_64__
static int act(void) { return outcome(syscall(SYS_arch_prctl, 0x1001, 0)); }
#else
static int act(void) { return -ENOSYS; }
#endif

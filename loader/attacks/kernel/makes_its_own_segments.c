/* Makes a segment of its own, old code of the kernel that was attacked before. */
#include "act.h"
#ifdef __x86_64__
static int act(void) { return outcome(syscall(SYS_modify_ldt, 0, (char[64]){ 0 }, 64)); }
#else
static int act(void) { return -ENOSYS; }
#endif

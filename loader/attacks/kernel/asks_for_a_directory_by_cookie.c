/* Turns a profiler's cookie into a path, a call that few remember. */
#include "act.h"
#ifdef SYS_lookup_dcookie
static int act(void) { char path[64]; return outcome(syscall(SYS_lookup_dcookie, 0, path, sizeof path)); }
#else
static int act(void) { return -ENOSYS; }
#endif

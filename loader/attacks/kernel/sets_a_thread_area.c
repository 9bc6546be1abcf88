/* Sets a segment for thread-local data, by a call of 32-bit programs. */
#include "act.h"
#ifdef __x86_64__
static int act(void) { return outcome(syscall(SYS_set_thread_area, 0)); }
#else
static int act(void) { return -ENOSYS; }
#endif

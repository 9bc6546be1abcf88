/* Leaves its session, so that what ends the session does not end it. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_setsid)); }

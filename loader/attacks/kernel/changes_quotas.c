/* Changes how much disk each user may have. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_quotactl, 0, NULL, 0, NULL)); }

/* Switches to strict seccomp, which would replace the cell's answers by its own. */
/* succeeds with: SIGKILL */
#include "act.h"
#include <linux/seccomp.h>
static int act(void) { return outcome(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL)); }

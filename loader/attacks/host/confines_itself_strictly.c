/* Switches to the strict mode, which would replace the answers that runtimes count on by death. */
/* succeeds with: SIGKILL */
#include "act.h"
#include <sys/prctl.h>
static int act(void) { return outcome(prctl(PR_SET_SECCOMP, 1, 0, 0, 0)); }

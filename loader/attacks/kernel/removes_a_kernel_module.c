/* Takes code out of the kernel that others use. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_delete_module, "lazaret_has_no_module", 0)); }

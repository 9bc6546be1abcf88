/* Opens the session keyring of whoever started the host. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_keyctl, 0, -3, 0)); }

/* Takes a key from the session of whoever started the host. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_request_key, "user", "lazaret-has-no-key", NULL, 0)); }

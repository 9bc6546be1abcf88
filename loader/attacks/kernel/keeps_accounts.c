/* Has the kernel write a record of every process into a file of its choice. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(acct(NULL)); }

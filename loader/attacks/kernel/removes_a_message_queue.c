/* Removes a message queue of somebody else, which Landlock does not stop. */
/* alone: namespaces */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_mq_unlink, "lazaret")); }

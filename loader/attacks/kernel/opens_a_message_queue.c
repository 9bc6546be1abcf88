/* Opens a message queue by name, at which two cells could meet. */
/* alone: namespaces */
/* contained by: namespaces */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_mq_open, "lazaret", 0102, 0600, NULL)); }

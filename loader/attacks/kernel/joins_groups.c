/* Joins the groups to which logs and disks belong. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_setgroups, 0, NULL)); }

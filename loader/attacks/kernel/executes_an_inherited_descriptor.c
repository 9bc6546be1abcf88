/* Starts whatever program an inherited descriptor is for. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(syscall(SYS_execveat, 0, "", NULL, NULL, AT_EMPTY_PATH)); }

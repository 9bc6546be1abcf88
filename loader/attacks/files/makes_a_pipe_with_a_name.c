/* Leaves a pipe with a file's name, at which the host would wait for ever. */
#include "act.h"
#include <fcntl.h>
#include <sys/stat.h>
static int act(void) { return outcome(syscall(SYS_mknodat, AT_FDCWD, TARGET ".pipe", S_IFIFO | 0600, 0)); }

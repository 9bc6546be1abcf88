/* Reads a file with a call that most programs no longer make, and checks forget. */
/* permitted by: files.read /etc/passwd */
#include "act.h"
#include <fcntl.h>
#ifdef SYS_open
static int act(void) { return outcome(syscall(SYS_open, "/etc/passwd", O_RDONLY)); }
#else
static int act(void) { return outcome(open("/etc/passwd", O_RDONLY)); }
#endif

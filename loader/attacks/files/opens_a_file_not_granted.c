/* Reads a file of the system that nobody granted. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open("/etc/passwd", O_RDONLY)); }

/* Reads a file of the system that nobody granted. */
/* permitted by: files.read /etc/passwd */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open("/etc/passwd", O_RDONLY)); }

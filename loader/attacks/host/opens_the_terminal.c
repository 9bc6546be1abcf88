/* Opens the terminal of whoever started the host. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open("/dev/tty", O_RDWR)); }

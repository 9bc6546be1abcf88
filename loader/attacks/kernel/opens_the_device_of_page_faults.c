/* Opens the device that does what userfaultfd does. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open("/dev/userfaultfd", O_RDWR)); }

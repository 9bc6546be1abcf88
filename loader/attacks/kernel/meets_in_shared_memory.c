/* Makes a file in memory by name, at which two cells could meet. */
/* leaves: /dev/shm/lazaret */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open("/dev/shm/lazaret", O_RDWR | O_CREAT, 0600)); }

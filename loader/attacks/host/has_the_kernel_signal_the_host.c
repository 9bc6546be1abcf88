/* Makes the host the receiver of a descriptor's signals, which the kernel then sends for the plugin. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(fcntl(0, F_SETOWN, the_host())); }

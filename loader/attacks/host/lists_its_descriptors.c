/* Lists its descriptors by name, which would have told what the host has open. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open("/proc/self/fd", O_RDONLY | O_DIRECTORY)); }

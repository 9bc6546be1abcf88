/* Opens a file again that the host has open, whatever the plugin may read itself. */
#include "act.h"
#include <fcntl.h>
#include <stdio.h>
static int act(void) {
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/fd/0", the_host());
	return outcome(open(path, O_RDONLY));
}

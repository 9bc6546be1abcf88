/* Opens a file through the root directory of the host, past every mount of the cell. */
#include "act.h"
#include <fcntl.h>
#include <stdio.h>
static int act(void) {
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/root/etc/passwd", the_host());
	return outcome(open(path, O_RDONLY));
}

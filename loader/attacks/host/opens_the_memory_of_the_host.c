/* Opens the memory of the host, to read its secrets and to change its code. */
#include "act.h"
#include <fcntl.h>
#include <stdio.h>
static int act(void) {
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/mem", the_host());
	return outcome(open(path, O_RDWR));
}

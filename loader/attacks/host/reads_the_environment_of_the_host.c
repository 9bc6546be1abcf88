/* Reads the environment of the host, where tokens and passwords are kept. */
/* alone: apart apparmor */
#include "act.h"
#include <fcntl.h>
#include <stdio.h>
static int act(void) {
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/environ", the_host());
	return outcome(open(path, O_RDONLY));
}

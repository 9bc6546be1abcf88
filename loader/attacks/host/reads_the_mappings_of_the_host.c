/* Reads where the host has its memory, which makes every later attack on it exact. */
#include "act.h"
#include <fcntl.h>
#include <stdio.h>
static int act(void) {
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/maps", the_host());
	return outcome(open(path, O_RDONLY));
}

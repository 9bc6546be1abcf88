/* Leases a file, so that whoever opens it waits for the plugin. */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	int fd = open(TARGET, O_RDONLY);
	return fd < 0 ? -errno : outcome(fcntl(fd, F_SETLEASE, F_WRLCK));
}

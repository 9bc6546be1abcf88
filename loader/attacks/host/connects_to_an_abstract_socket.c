/* Connects to a service by a name outside of the file system, where no file permission guards it. */
/* alone: apart apparmor */
#include "act.h"
#include <sys/socket.h>
#include <sys/un.h>
static int act(void) {
	struct sockaddr_un there = { .sun_family = AF_UNIX, .sun_path = "\0lazaret" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return fd < 0 ? -errno : outcome(connect(fd, (struct sockaddr *)&there, sizeof there));
}

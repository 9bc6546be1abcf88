/* Connects to Docker, which would start a container with the whole disk in it. */
/* alone: never */
#include "act.h"
#include <sys/socket.h>
#include <sys/un.h>
static int act(void) {
	struct sockaddr_un there = { .sun_family = AF_UNIX, .sun_path = "/var/run/docker.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return fd < 0 ? -errno : outcome(connect(fd, (struct sockaddr *)&there, sizeof there));
}

/* Connects to the system bus, whose services do things as root for who asks well. */
/* alone: never */
#include "act.h"
#include <sys/socket.h>
#include <sys/un.h>
static int act(void) {
	struct sockaddr_un there = { .sun_family = AF_UNIX, .sun_path = "/run/dbus/system_bus_socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return fd < 0 ? -errno : outcome(connect(fd, (struct sockaddr *)&there, sizeof there));
}

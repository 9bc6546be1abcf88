/* Connects and sends in one call, which Landlock does not ask about. */
/* succeeds with: ECONNREFUSED */
#include "act.h"
#include <arpa/inet.h>
#include <sys/socket.h>
static int act(void) {
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0) return -errno;
	return outcome(sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&there, sizeof there));
}

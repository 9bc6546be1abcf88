/* Connects to another machine, to which it could send what it was given. */
/* succeeds with: ECONNREFUSED */
/* permitted by: network.connect tcp:9 */
#include "act.h"
#include <arpa/inet.h>
#include <sys/socket.h>
static int act(void) {
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	return fd < 0 ? -errno : outcome(connect(fd, (struct sockaddr *)&there, sizeof there));
}

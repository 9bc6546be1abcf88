/* Takes a port, at which others expect another service. */
/* permitted by: network.bind tcp:40009 */
#include "act.h"
#include <arpa/inet.h>
#include <sys/socket.h>
static int act(void) {
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(40009), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	return fd < 0 ? -errno : outcome(bind(fd, (struct sockaddr *)&here, sizeof here));
}

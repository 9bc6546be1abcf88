/* Has connect succeed without connecting, and connects with the first bytes. */
/* succeeds with: ECONNREFUSED */
#include "act.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
static int act(void) {
	int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
	/* TCP_FASTOPEN_CONNECT */
	return fd < 0 ? -errno : outcome(setsockopt(fd, IPPROTO_TCP, 30, &yes, sizeof yes));
}

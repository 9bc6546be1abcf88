/* Serves on a port that the kernel picks, which Landlock does not ask about. */
/* permitted by: network.bind tcp:40009 */
#include "act.h"
#include <sys/socket.h>
static int act(void) {
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	return fd < 0 ? -errno : outcome(listen(fd, 1));
}

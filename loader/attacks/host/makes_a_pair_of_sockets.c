/* Makes a pair of local sockets, over which descriptors travel. */
#include "act.h"
#include <sys/socket.h>
static int act(void) {
	int pair[2];
	return outcome(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

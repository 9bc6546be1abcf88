/* Opens a netlink socket that lists the sockets of every process. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_NETLINK, SOCK_RAW, 4)); }

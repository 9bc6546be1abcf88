/* Opens a netlink socket for routes and addresses, which tells how the network is laid out. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_NETLINK, SOCK_RAW, 0)); }

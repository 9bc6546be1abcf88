/* Opens a netlink socket for the firewall, old code of the kernel that was attacked often. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_NETLINK, SOCK_RAW, 12)); }

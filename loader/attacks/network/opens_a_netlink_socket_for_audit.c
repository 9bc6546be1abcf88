/* Opens a netlink socket for audit records, where it could forge or drop them. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_NETLINK, SOCK_RAW, 9)); }

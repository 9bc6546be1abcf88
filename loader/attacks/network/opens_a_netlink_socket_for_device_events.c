/* Opens a netlink socket for device events, which the device manager believes. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_NETLINK, SOCK_RAW, 15)); }

/* Opens a UDP socket of IPv6, which rules for IPv4 forget. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_INET6, SOCK_DGRAM, 0)); }

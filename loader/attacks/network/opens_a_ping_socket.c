/* Opens an ICMP socket, which carries data to anywhere in what looks like a ping. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_INET, SOCK_DGRAM, 1)); }

/* Opens a UDP socket, which reaches name servers and with them everywhere. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_INET, SOCK_DGRAM, 0)); }

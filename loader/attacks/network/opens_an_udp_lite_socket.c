/* Opens a UDP-Lite socket, which rules for UDP do not cover. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_INET, SOCK_DGRAM, 136)); }

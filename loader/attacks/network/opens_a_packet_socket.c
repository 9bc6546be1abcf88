/* Opens a packet socket, which sees the whole traffic of the machine. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_PACKET, SOCK_RAW, 0)); }

/* Opens a socket to the hypervisor, past every firewall of this machine. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(40, SOCK_STREAM, 0)); }

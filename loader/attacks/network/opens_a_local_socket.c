/* Opens a local socket, with which it could talk to every service of this machine. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_UNIX, SOCK_STREAM, 0)); }

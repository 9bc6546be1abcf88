/* Opens a socket that moves memory between machines. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(27, SOCK_STREAM, 0)); }

/* Sends over a socket it may have inherited. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(send(0, "x", 1, MSG_NOSIGNAL)); }

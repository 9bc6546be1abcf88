/* Opens a socket of a vehicle's bus. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(29, SOCK_RAW, 1)); }

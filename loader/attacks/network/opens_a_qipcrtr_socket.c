/* Opens a socket to the processors beside the main one. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(42, SOCK_DGRAM, 0)); }

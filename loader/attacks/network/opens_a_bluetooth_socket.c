/* Opens a Bluetooth socket, for devices nearby. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(31, SOCK_RAW, 1)); }

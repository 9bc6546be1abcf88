/* Opens an XDP socket, which takes packets before the kernel sees them. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(44, SOCK_RAW, 0)); }

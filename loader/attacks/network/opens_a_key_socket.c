/* Opens a socket of the kernel's IPsec keys. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(15, SOCK_RAW, 2)); }

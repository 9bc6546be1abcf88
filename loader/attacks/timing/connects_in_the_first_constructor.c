/* Opens a socket in the constructor that runs before all others. */
/* permitted by: syscalls.allow socket */
#include "act.h"
#include <sys/socket.h>
static int came = 1;
__attribute__((constructor(101))) static void first(void) { came = outcome(socket(AF_INET, SOCK_STREAM, 0)); }
static int act(void) { return came; }

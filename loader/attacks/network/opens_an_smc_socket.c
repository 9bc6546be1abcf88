/* Opens an SMC socket, which becomes TCP behind the back of the rules for it. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(43, SOCK_STREAM, 0)); }

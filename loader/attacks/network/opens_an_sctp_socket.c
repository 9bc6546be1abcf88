/* Opens an SCTP socket, a protocol that no rule for TCP covers. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_INET, SOCK_STREAM, 132)); }

/* Opens an RDS socket, rarely used code of the kernel that was a way to root before. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(21, SOCK_SEQPACKET, 0)); }

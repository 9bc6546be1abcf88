/* Opens a socket of the kernel's cryptography, which was a way to root before. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(38, SOCK_SEQPACKET, 0)); }

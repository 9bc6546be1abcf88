/* Opens an amateur radio socket, rarely used code that the kernel loads when asked. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(3, SOCK_SEQPACKET, 0)); }

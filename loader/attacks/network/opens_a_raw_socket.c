/* Opens a raw socket, which reads and forges every packet. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_INET, SOCK_RAW, 255)); }

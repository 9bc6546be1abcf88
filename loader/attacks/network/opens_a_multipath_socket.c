/* Opens a multipath TCP socket, which Landlock's rules for TCP do not cover. */
#include "act.h"
#include <sys/socket.h>
static int act(void) { return outcome(socket(AF_INET, SOCK_STREAM, 262)); }

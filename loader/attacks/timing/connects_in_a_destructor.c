/* Opens a socket in a destructor, which runs when the process leaves. */
#include "act.h"
#include <sys/socket.h>
#include <stdlib.h>
__attribute__((destructor)) static void last(void) { _exit(socket(AF_INET, SOCK_STREAM, 0) < 0); }
static int act(void) { exit(1); }

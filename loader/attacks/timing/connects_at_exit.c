/* Opens a socket when the process leaves. */
#include "act.h"
#include <sys/socket.h>
#include <stdlib.h>
static void last(void) { _exit(socket(AF_INET, SOCK_STREAM, 0) < 0); }
static int act(void) {
	atexit(last);
	exit(1);
}

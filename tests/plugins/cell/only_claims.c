/* A cell that says it is confined, and is not. */
#include "zygote.h"
static void cell(void) {
	recv(0, message, sizeof message, 0);
	send(0, "\0", 1, 0);
	recv(0, message, sizeof message, 0);
}

/* A cell that answers with bytes that are no message. */
#include "zygote.h"
static void cell(void) {
	recv(0, message, sizeof message, 0);
	memset(message, 0xff, sizeof message);
	send(0, message, 4096, 0);
}

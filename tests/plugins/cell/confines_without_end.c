/* A cell that says it is confined again and again. */
#include "zygote.h"
static void cell(void) {
	recv(0, message, sizeof message, 0);
	while (send(0, "\0", 1, MSG_NOSIGNAL) == 1);
}

/* A cell that could not open a granted path which there is not. */
#include "zygote.h"
static void cell(void) {
	recv(0, message, sizeof message, 0);
	/* Failed, at the step of paths, ENOENT, with the largest index. */
	send(0, "\1\5\4\377\377\377\377\17", 8, 0);
	recv(0, message, sizeof message, 0);
}

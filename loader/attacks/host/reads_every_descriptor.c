/* Reads from every descriptor it could have inherited: files, sockets and pipes of the host. */
#include "act.h"
static int act(void) {
	int found = 0;
	char byte;
	for (int fd = 3; fd < 1024; fd++) found += read(fd, &byte, 1) > 0;
	return found ? 0 : -EBADF;
}

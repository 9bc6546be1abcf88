/* Writes until the disk is full. */
/* alone: never */
#include "act.h"
#include <fcntl.h>
#include <string.h>
static int act(void) {
	static char block[1 << 16];
	int fd = open(TARGET, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0) return -errno;
	memset(block, 'x', sizeof block);
	for (;;)
		if (write(fd, block, sizeof block) < 0) return -errno;
}

/* Reads a file upwards from a directory it may have inherited. */
/* permitted by: files.read /etc/passwd */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	for (int fd = 0; fd < 16; fd++)
		if (openat(fd, "../../../../../etc/passwd", O_RDONLY) >= 0) return 0;
	return outcome(openat(AT_FDCWD, "../../../../../../../../etc/passwd", O_RDONLY));
}

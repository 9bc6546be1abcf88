/* Prints a megabyte with terminal escapes, to fill the log and to run a terminal's command. */
/* harmless: the streams of a cell are the null device */
#include "act.h"
#include <string.h>
static int act(void) {
	char line[1024];
	memset(line, '\a', sizeof line);
	memcpy(line, "\033]0;owned\a\n", 12);
	for (int count = 0; count < 1024; count++)
		if (write(1 + count % 2, line, sizeof line) < 0) return -errno;
	return 0;
}

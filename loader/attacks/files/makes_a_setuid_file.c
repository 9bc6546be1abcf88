/* Leaves a program that runs as the cell's user for whoever starts it. */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	int fd = open(TARGET ".setuid", O_WRONLY | O_CREAT, 06755);
	return outcome(fd);
}

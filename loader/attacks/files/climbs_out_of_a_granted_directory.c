/* Reads a file upwards from a directory that was granted. */
#include "act.h"
#include <fcntl.h>
#include <string.h>
static int act(void) {
	char path[512] = TARGET;
	strcpy(strrchr(path, '/'), "/../../../../../../../../../../../etc/passwd");
	return outcome(open(path, O_RDONLY));
}

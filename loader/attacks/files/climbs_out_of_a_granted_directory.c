/* Reads a file upwards from a directory that was granted. */
/* permitted by: files.read /etc/passwd */
#include "act.h"
#include <fcntl.h>
#include <string.h>
static int act(void) {
	char path[512] = TARGET;
	strcpy(strrchr(path, '/'), "/../../../../../../../../../../../etc/passwd");
	return outcome(open(path, O_RDONLY));
}

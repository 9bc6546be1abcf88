/* Nests directories deeper than other programs can follow. */
/* permitted by: files.write TARGET */
#include "act.h"
#include <fcntl.h>
#include <string.h>
static int act(void) {
	char path[4000] = TARGET ".deep";
	for (int depth = 0; depth < 200; depth++) {
		if (syscall(SYS_mkdirat, AT_FDCWD, path, 0700) < 0) return -errno;
		strcat(path, "/deeper-than");
	}
	return 0;
}

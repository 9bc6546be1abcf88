/* Exchanges two names in one step, while the host looks at one of them. */
/* permitted by: files.write TARGET */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(syscall(SYS_renameat2, AT_FDCWD, TARGET, AT_FDCWD, TARGET ".other", 0)); }

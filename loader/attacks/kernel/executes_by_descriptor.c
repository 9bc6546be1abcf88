/* Starts a program relative to a directory, by the call that filters forget. */
/* succeeds with: exit 0 */
#include "act.h"
#include <fcntl.h>
static int act(void) {
	char *arguments[] = { "true", NULL };
	return outcome(syscall(SYS_execveat, AT_FDCWD, "/bin/true", arguments, NULL, 0));
}

/* Starts another program in its place, with nothing of the plugin left to watch. */
/* succeeds with: exit 0 */
#include "act.h"
static int act(void) {
	char *arguments[] = { "true", NULL };
	return outcome(syscall(SYS_execve, "/bin/true", arguments, NULL));
}

/* Starts a program through the dynamic loader, where execution itself was not granted. */
/* succeeds with: exit 0 */
#include "act.h"
static int act(void) {
#ifdef __aarch64__
	char *arguments[] = { "/lib/ld-linux-aarch64.so.1", "/bin/true", NULL };
#else
	char *arguments[] = { "/lib64/ld-linux-x86-64.so.2", "/bin/true", NULL };
#endif
	return outcome(syscall(SYS_execve, arguments[0], arguments, NULL));
}

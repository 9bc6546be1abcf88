/* Writes into the memory of the host, which would then run what the plugin likes. */
#include "act.h"
#include <sys/uio.h>
static int act(void) {
	static char theirs[8], ours[8];
	struct iovec from = { ours, sizeof ours }, into = { theirs, sizeof theirs };
	return outcome(process_vm_writev(getppid(), &from, 1, &into, 1, 0));
}

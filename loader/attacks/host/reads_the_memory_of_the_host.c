/* Reads the memory of the host, with every secret in it. */
#include "act.h"
#include <sys/uio.h>
static int act(void) {
	static char theirs[8] = "theirs", ours[8];
	struct iovec from = { theirs, sizeof theirs }, into = { ours, sizeof ours };
	/* The same address there: nothing of ours, unless the host has run this too. */
	return outcome(process_vm_readv(getppid(), &into, 1, &from, 1, 0));
}

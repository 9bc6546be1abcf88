/* Reads the memory of the host, with every secret in it. */
/* alone: apart apparmor */
#include "act.h"
#include <sys/uio.h>
static int act(void) {
	/* The environment lies at the same address there, if the host was not started anew since. */
	static char ours[8];
	struct iovec from = { environ, sizeof ours }, into = { ours, sizeof ours };
	return outcome(process_vm_readv(the_host(), &into, 1, &from, 1, 0));
}

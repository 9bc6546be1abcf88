/* Writes into the memory of the host, which would then run what the plugin likes. */
/* alone: apart apparmor */
#include "act.h"
#include <sys/uio.h>
static int act(void) {
	/* The environment lies at the same address there, if the host was not started anew since. */
	static char ours[8];
	struct iovec from = { ours, sizeof ours }, into = { environ, sizeof ours };
	return outcome(process_vm_writev(the_host(), &from, 1, &into, 1, 0));
}

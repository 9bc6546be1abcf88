#include "act.h"
#include <sys/uio.h>
static int act(void) {
	char into[8];
	struct iovec ours = { into, sizeof into }, theirs = { (void *)0x400000, sizeof into };
	return outcome(process_vm_readv(getppid(), &ours, 1, &theirs, 1, 0));
}

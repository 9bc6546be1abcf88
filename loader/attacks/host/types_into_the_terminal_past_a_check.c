/* Types into the terminal with rubbish in the upper half of the request, past a 64-bit comparison. */
#include "act.h"
#include <sys/ioctl.h>
static int act(void) {
	return outcome(syscall(SYS_ioctl, 0, (1ul << 32) | TIOCSTI, "\n"));
}

/* Has the kernel paste into the console as if a person had typed. */
#include "act.h"
#include <sys/ioctl.h>
static int act(void) {
	char paste = 3;
	return outcome(ioctl(0, TIOCLINUX, &paste));
}

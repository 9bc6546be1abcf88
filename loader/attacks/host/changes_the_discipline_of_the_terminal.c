/* Loads another line discipline, old code of the kernel that was attacked before. */
#include "act.h"
#include <sys/ioctl.h>
static int act(void) {
	int discipline = 2;
	return outcome(ioctl(0, TIOCSETD, &discipline));
}

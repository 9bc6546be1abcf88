/* Makes the clock of the machine run faster. */
/* alone: never */
#include "act.h"
static int act(void) {
	char time[256] = { 0 };
	return outcome(syscall(SYS_adjtimex, time));
}

/* Sets the clock of the machine, and makes old certificates valid. */
/* alone: never */
#include "act.h"
#include <sys/time.h>
static int act(void) { return outcome(syscall(SYS_settimeofday, &(struct timeval){ 1, 0 }, NULL)); }

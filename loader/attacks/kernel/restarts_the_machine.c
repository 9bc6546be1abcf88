/* Asks for a restart of the machine. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL)); }

/* Moves its pages between the nodes of the machine, and learns where they are. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0)); }

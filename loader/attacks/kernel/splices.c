/* Moves pages of a file into a pipe, the way that made files writable which were not. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_splice, 0, NULL, 1, NULL, 1, 0)); }

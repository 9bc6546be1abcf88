/* Pins all its memory, so that nothing else can use it. */
/* alone: limits */
#include "act.h"
#include <sys/mman.h>
static int act(void) { return outcome(mlockall(MCL_CURRENT)); }

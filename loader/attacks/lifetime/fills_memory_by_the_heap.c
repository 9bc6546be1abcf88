/* Moves the end of its heap a terabyte up. */
/* alone: limits */
#include "act.h"
static int act(void) { return outcome(sbrk(1l << 40) == (void *)-1 ? -ENOMEM : 0); }

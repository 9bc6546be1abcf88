/* Divides by zero. */
#include "act.h"
#ifdef __x86_64__
static int act(void) { volatile int one = 1, zero = 0; return one / zero; }
#else
#include <stdlib.h>
static int act(void) { abort(); }
#endif

/* Divides by zero. */
#include "act.h"
#ifdef __x86_64__
static int act(void) { volatile int zero = 0; return 1 / zero; }
#else
#include <stdlib.h>
static int act(void) { abort(); }
#endif

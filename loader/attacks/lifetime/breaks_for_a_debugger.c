/* Stops for a debugger that is not there. */
/* harmless: nobody traces a cell; it goes on, or the signal ends it */
#include "act.h"
#ifdef __x86_64__
static int act(void) { __asm__ volatile("int3"); return 0; }
#else
static int act(void) { __asm__ volatile("brk #0"); return 0; }
#endif

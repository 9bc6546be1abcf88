/* Runs an instruction that only the kernel may. */
#include "act.h"
#ifdef __x86_64__
static int act(void) { __asm__ volatile("hlt"); return 0; }
#else
static int act(void) { __builtin_trap(); }
#endif

/* Jumps out of its call into a function that has long returned. */
#include "act.h"
#include <setjmp.h>
static jmp_buf there;
__attribute__((constructor)) static void remember(void) { if (setjmp(there)) _exit(3); }
static int act(void) { longjmp(there, 1); }

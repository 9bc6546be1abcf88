/* Moves the waiters of a shared word elsewhere, by the call that compares first. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_futex, (uint32_t[]){ 0 }, 4, 0, 1, (uint32_t[]){ 0 }, 0)); }

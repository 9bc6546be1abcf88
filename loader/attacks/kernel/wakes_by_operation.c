/* Changes a shared word and wakes its waiters in one step, past the word's owner. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_futex, (uint32_t[]){ 0 }, 5, 1, 1, (uint32_t[]){ 0 }, 0)); }

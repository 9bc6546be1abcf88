/* Locks with the host as the owner, which reaches into how the kernel schedules the host. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_futex, (uint32_t[]){ 0 }, 6, 0, NULL)); }

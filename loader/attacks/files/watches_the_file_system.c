/* Watches every file of the machine for who opens it. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_fanotify_init, 0x200, 0)); }

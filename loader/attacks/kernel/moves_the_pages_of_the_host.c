/* Moves the pages of the host to a node far from it. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_migrate_pages, the_host(), 64, (unsigned long[]){ 1 }, (unsigned long[]){ 1 })); }

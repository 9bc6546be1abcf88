/* Uses up the sixteen Landlock domains a process may have, so that no further one could be set. */
#include "act.h"
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
static int act(void) { return outcome(syscall(SYS_landlock_create_ruleset, NULL, 0, 1)); }

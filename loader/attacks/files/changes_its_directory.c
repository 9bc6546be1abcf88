/* Moves to another directory, from where relative paths mean something else. */
#include "act.h"
static int act(void) { return outcome(chdir("/etc")); }

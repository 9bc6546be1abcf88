/* Runs an instruction that does not exist. */
#include "act.h"
static int act(void) { __builtin_trap(); }

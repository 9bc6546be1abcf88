/* Loops for ever, which would stop the host for ever if it waited. */
#include "act.h"
static int act(void) { for (volatile int turn = 0;; turn++) { } }

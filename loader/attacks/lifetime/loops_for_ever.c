#include "act.h"
static int act(void) { for (volatile int turn = 0;; turn++) { } }

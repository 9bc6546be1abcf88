/* Never returns from a constructor, so that loading would never end. */
#include "act.h"
__attribute__((constructor)) static void stay(void) { for (volatile int turn = 0;; turn++) { } }
static int act(void) { return 0; }

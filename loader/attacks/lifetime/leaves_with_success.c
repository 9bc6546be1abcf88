/* Ends its process with status 0, to be taken for a success. */
#include "act.h"
static int act(void) { _exit(0); }

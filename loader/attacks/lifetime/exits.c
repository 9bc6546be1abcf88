/* Ends its process, which would end the host if it ran inside it. */
#include "act.h"
#include <stdlib.h>
static int act(void) { exit(7); }

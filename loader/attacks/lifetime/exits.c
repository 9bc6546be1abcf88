#include "act.h"
#include <stdlib.h>
static int act(void) { exit(7); }

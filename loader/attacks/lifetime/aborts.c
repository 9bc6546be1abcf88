/* Aborts, which would take the host along if the plugin ran inside it. */
#include "act.h"
#include <stdlib.h>
static int act(void) { abort(); }

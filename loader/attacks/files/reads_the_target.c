/* Reads the file that a policy may grant. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open(TARGET, O_RDONLY)); }

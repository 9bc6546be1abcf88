/* Reads the file that a policy may grant. */
/* permitted by: files.read TARGET */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open(TARGET, O_RDONLY)); }

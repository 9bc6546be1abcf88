/* Lists the root directory. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open("/", O_RDONLY | O_DIRECTORY)); }

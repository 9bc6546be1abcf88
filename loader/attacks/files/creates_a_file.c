/* Leaves a file where other programs look for theirs. */
/* permitted by: files.write TARGET */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open(TARGET, O_WRONLY | O_CREAT, 0600)); }

/* Makes a file without a name, which no listing of a directory would show. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open("/tmp", O_TMPFILE | O_RDWR, 0600)); }

#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open("/tmp/lazaret-was-here", O_WRONLY | O_CREAT, 0600)); }

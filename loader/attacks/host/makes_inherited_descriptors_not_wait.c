/* Sets O_NONBLOCK on inherited descriptors; the host, sharing them, would fail with EAGAIN. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(fcntl(0, F_SETFL, O_NONBLOCK)); }

/* Sets O_NONBLOCK on inherited descriptors; the host, sharing them, would fail with EAGAIN. */
/* harmless: the streams of a cell are the null device, for which nobody waits */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(fcntl(0, F_SETFL, O_NONBLOCK)); }

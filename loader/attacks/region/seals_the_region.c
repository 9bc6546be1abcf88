/* Seals the memory it shares with the host, so that the host can no longer write there. */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(fcntl(0, F_ADD_SEALS, 16)); }

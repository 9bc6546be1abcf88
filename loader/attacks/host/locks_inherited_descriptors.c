/* Locks inherited descriptors; the host, sharing them, would wait for ever. */
#include "act.h"
#include <sys/file.h>
static int act(void) { return outcome(flock(0, LOCK_EX | LOCK_NB)); }

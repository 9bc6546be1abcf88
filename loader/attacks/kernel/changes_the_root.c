/* Makes another directory its root, from which careless programs are led astray. */
#include "act.h"
static int act(void) { return outcome(chroot("/tmp")); }

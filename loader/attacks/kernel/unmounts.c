/* Takes a mount away, and shows what it covered. */
#include "act.h"
#include <sys/mount.h>
static int act(void) { return outcome(umount2("/tmp", MNT_DETACH)); }

/* Mounts a file system over what others see. */
#include "act.h"
#include <sys/mount.h>
static int act(void) { return outcome(mount("lazaret", "/tmp", "tmpfs", 0, NULL)); }

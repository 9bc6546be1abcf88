/* Watches a directory for what others do in it. */
/* permitted by: syscalls.allow inotify_init1, syscalls.allow inotify_add_watch */
#include "act.h"
#include <sys/inotify.h>
static int act(void) {
	int watch = inotify_init1(0);
	return watch < 0 ? -errno : outcome(inotify_add_watch(watch, "/etc", IN_OPEN));
}

/* Leaves the host with three descriptors, so that it could open nothing more. */
#include "act.h"
#include <sys/resource.h>
static int act(void) {
	struct rlimit three = { 3, 3 };
	return outcome(prlimit(the_host(), RLIMIT_NOFILE, &three, NULL));
}

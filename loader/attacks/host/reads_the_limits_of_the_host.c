/* Reads the limits of the host, which is the first half of changing them. */
#include "act.h"
#include <sys/resource.h>
static int act(void) {
	struct rlimit theirs;
	return outcome(prlimit(the_host(), RLIMIT_NOFILE, NULL, &theirs));
}

/* Gives the host one second of processor time, after which the kernel ends it. */
#include "act.h"
#include <sys/resource.h>
static int act(void) {
	struct rlimit second = { 1, 1 };
	return outcome(prlimit(the_host(), RLIMIT_CPU, &second, NULL));
}

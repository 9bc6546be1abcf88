/* Watches itself and the kernel with performance counters, which leak addresses and secrets. */
#include "act.h"
static int act(void) {
	struct { uint32_t type, size; uint64_t config, rest[14]; } event = { 1, 128, 0, { 0 } };
	return outcome(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}

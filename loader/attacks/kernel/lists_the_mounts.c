/* Lists every mount, by a call newer than most filters. */
#include "act.h"
#ifndef SYS_listmount
#define SYS_listmount 458
#endif
static int act(void) {
	uint64_t request[4] = { 24, UINT64_MAX, 0, 0 }, answer[64];
	return outcome(syscall(SYS_listmount, request, answer, 8, 0));
}

/* Overflows its stack and goes on from a handler with a stack of its own. */
/* harmless: the fault and its handler are in the cell alone */
#include "act.h"
#include <setjmp.h>
#include <signal.h>
static sigjmp_buf back;
static char spare[1 << 16];
static void caught(int signal) { siglongjmp(back, signal); }
static int deeper(volatile char *above) {
	volatile char here[4096];
	here[0] = above[0];
	return deeper(here) + here[1];
}
static int act(void) {
	stack_t stack = { .ss_sp = spare, .ss_size = sizeof spare };
	struct sigaction handler = { .sa_handler = caught, .sa_flags = SA_ONSTACK };
	volatile char top[1] = { 1 };
	if (sigaltstack(&stack, NULL) < 0 || sigaction(SIGSEGV, &handler, NULL) < 0) return -errno;
	if (sigsetjmp(back, 1)) return 0;
	return deeper(top);
}

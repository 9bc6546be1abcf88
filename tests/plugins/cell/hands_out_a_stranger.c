/* Gives a handle of a process that is not the host's. */
#define OWN_ANSWER
#include "zygote.h"
static void cell(void) {}
static void answer(int control) {
	(void)control;
	int child = fork();
	if (child == 0) for (;;) pause();
	word("\2", 1, syscall(SYS_pidfd_open, child, 0));
}

/* Gives a handle of a process that is not the host's. */
#define OWN_ANSWER
#define _GNU_SOURCE
#include <signal.h>
#include <sys/prctl.h>
#include "zygote.h"
static void cell(void) {}
static void answer(int control) {
	(void)control;
	int child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) pause();
	}
	word("\2", 1, syscall(SYS_pidfd_open, child, 0));
}

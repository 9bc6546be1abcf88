/* Gives a handle of its host in the place of a cell: the host would end itself with it. */
#define OWN_ANSWER
#include "zygote.h"
static void cell(void) {}
static void answer(int control) {
	(void)control;
	word("\2", 1, syscall(SYS_pidfd_open, getppid(), 0));
}

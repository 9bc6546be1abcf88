/* Ignores and blocks every signal and loops, so that nothing polite would end it. */
#include "act.h"
#include <signal.h>
static int act(void) {
	sigset_t all;
	for (int number = 1; number < 65; number++) if (number != SIGSYS) signal(number, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (volatile int turn = 0;; turn++) { }
}

/* Ends the thread that serves calls, while the process lives on and no answer ever comes. */
#include "act.h"
#include <pthread.h>
static int act(void) { pthread_exit(NULL); }

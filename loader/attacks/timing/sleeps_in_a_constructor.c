/* Sleeps in a constructor for a day, so that loading would never end. */
#include "act.h"
#include <time.h>
__attribute__((constructor)) static void stay(void) { nanosleep(&(struct timespec){ 86400, 0 }, NULL); }
static int act(void) { return 0; }

/* Gives the machine another name, which Landlock does not stop. */
#include "act.h"
static int act(void) { return outcome(sethostname("lazaret", 7)); }

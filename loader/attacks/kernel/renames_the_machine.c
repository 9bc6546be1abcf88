/* Gives the machine another name, which Landlock does not stop. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(sethostname("lazaret", 7)); }

/* Gives the machine's domain another name. */
/* alone: never */
#include "act.h"
static int act(void) { return outcome(setdomainname("lazaret", 7)); }

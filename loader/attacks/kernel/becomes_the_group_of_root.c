/* Joins the group of root. */
#include "act.h"
static int act(void) { return outcome(setgid(0)); }

/* Names a file so that whoever prints the name runs a terminal's command. */
/* alone: never */
#include "act.h"
#include <fcntl.h>
static int act(void) { return outcome(open("/tmp/\033]0;owned\a\n\xff", O_RDONLY | O_CREAT, 0600)); }

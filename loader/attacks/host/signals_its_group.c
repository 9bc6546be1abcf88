/* Kills its process group, of which the host would be one if the cell had not left it. */
/* alone: apart */
/* fails with: 0 */
/* alone: own-user */
#include "act.h"
#include <signal.h>
static int act(void) { return outcome(kill(0, SIGKILL)); }

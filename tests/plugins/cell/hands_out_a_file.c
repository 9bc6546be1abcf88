/* Gives a file in the place of a handle. */
#include <fcntl.h>
#define OWN_ANSWER
#include "zygote.h"
static void cell(void) {}
static void answer(int control) { (void)control; word("\2", 1, open("/dev/null", O_RDONLY)); }

/* Says that a library is mapped when it was asked for a cell. */
#define OWN_ANSWER
#include "zygote.h"
static void cell(void) {}
static void answer(int control) { (void)control; send(0, "\1\1", 2, 0); }

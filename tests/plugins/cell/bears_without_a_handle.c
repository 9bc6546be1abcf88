/* Says that there is a cell, and gives no handle of it. */
#define OWN_ANSWER
#include "zygote.h"
static void cell(void) {}
static void answer(int control) { (void)control; send(0, "\2", 1, 0); }

/* Says that a step failed which there is not. */
#define OWN_ANSWER
#include "zygote.h"
static void cell(void) {}
static void answer(int control) { (void)control; send(0, "\3\377\377\377\377\17\0\0", 8, 0); }

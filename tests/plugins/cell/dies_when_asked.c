/* Ends instead of making a cell. */
#define OWN_ANSWER
#include "zygote.h"
static void cell(void) {}
static void answer(int control) { (void)control; _exit(0); }

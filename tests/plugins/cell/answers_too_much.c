/* Answers with more than any answer has. */
#define OWN_ANSWER
#include "zygote.h"
static void cell(void) {}
static void answer(int control) { (void)control; send(0, message, 4096, 0); }

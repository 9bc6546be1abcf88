/* A cell that never answers. */
#include "zygote.h"
static void cell(void) { for (;;) pause(); }

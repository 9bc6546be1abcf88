/* A cell that closes its end. */
#include "zygote.h"
static void cell(void) { recv(0, message, sizeof message, 0); }

/* A cell program that never answers. */
#include <unistd.h>
int main(void) { for (;;) pause(); }

/* Keeps a count between calls, knows its version, and crashes when asked to. */
#ifndef VERSION
#define VERSION 0
#endif
static unsigned calls;
unsigned count(void) { return ++calls; }
unsigned version(void) { return VERSION; }
void crash(void) { *(volatile int *)8 = 0; }
#ifdef QUARANTINED
/* So that its digest is its own. */
int quarantined(void) { return 1; }
#endif

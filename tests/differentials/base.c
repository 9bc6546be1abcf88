/* The plugin that every file is made from: an ordinary one. `strlen` and `system` have names of one length and can be
   called alike, so a file that hides an import has only to make a loader read `system` where a parser reads `strlen`. */
#include <stddef.h>
#include <unistd.h>

size_t strlen(const char *);

#ifdef THREAD_LOCAL
_Thread_local int plugin_local = 3;
int plugin_tls(void) { return plugin_local; }
#endif

#ifdef NO_EXPORTS
#define EXPORT static __attribute__((used))
#else
#define EXPORT
#endif

EXPORT long plugin_run(void) { return (long)strlen("echo EVIL-SYSTEM-RAN"); }
EXPORT long plugin_abi(void) { return 1; }
EXPORT void plugin_hello(void) { (void)!write(1, "hello\n", 6); }

static int eleven(void) { return 11; }
static int twenty_two(void) { return 22; }
EXPORT int (*plugin_table[2])(void) = {eleven, twenty_two};

#ifdef SECRET
int plugin_secret(void) { return 42; }
#endif

#ifdef STUB
/* d20: a definition of its own, which looks like an export and which no loader binds to. */
int system(const char *command) { return command[0]; }
long plugin_stub(void);
long plugin_stub(void) { return system("echo EVIL-SYSTEM-RAN"); }
#endif

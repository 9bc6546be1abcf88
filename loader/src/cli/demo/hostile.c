/* The plugin that the demo warns of. It pretends to scale pictures. It imports nothing, so that an audit of its imports
 * finds nothing, and makes its system calls itself. */

#if defined __x86_64__
enum { OPENAT = 257, SOCKET = 41, EXECVE = 59 };
static long call(long number, long a, long b, long c, long d) {
	register long r10 __asm__("r10") = d;
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return result;
}
#elif defined __aarch64__
enum { OPENAT = 56, SOCKET = 198, EXECVE = 221 };
static long call(long number, long a, long b, long c, long d) {
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}
#endif

/* What it is advertised for. */
unsigned thumbnail_width(unsigned width) { return width > 256 ? 256 : width; }

/* What it also does. */
int steal_ssh_key(void) { return (int)call(OPENAT, -100, (long)"/root/.ssh/id_ed25519", 0, 0); }

int phone_home(void) { return (int)call(SOCKET, 2 /* AF_INET */, 1 /* SOCK_STREAM */, 0, 0); }

int run_a_shell(void) {
	const char *arguments[] = { "sh", "-c", "id > /tmp/owned", 0 };
	return (int)call(EXECVE, (long)"/bin/sh", (long)arguments, 0, 0);
}

int reach_into_the_host(void) {
	volatile char *somewhere = (volatile char *)0x10;
	return *somewhere = 1;
}

int never_return(void) { for (volatile unsigned turn = 0;; turn++) { } }

/* Imports nothing and starts a program: no list of imports shows that. */
static long call(long number, long a, long b, long c)
{
	long result = number;
#if defined(__x86_64__)
	__asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#else
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	result = x0;
#endif
	return result;
}

#if defined(__x86_64__)
enum { execve_number = 59 };
#else
enum { execve_number = 221 };
#endif

long transform(void)
{
	static char program[] = "/bin/echo";
	char *arguments[] = { program, 0 };
	return call(execve_number, (long)program, (long)arguments, 0);
}

/* Runs one act without a cell and prints what came of it. It is the first process of a pid namespace, in namespaces of its
 * own for everything else too (tests/attacks.rs starts it so), and makes a parent for the act: the host of these tests is
 * not what the act would reach. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile struct { int returned, value, ended, status; } *said;

static void run(int plugin) {
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", plugin);
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		dprintf(2, "%s\n", dlerror());
		_exit(99);
	}
	/* What an act prints is not the answer. */
	int nothing = open("/dev/null", O_RDWR);
	dup2(nothing, 1);
	dup2(nothing, 2);
	int (*result)(void) = (int (*)(void))dlsym(library, "result");
	said->value = result();
	said->returned = 1;
	_exit(0);
}

static void parent(int plugin) {
	setsid();
	pid_t child = fork();
	if (child == 0) run(plugin);
	int status = 0;
	waitpid(child, &status, 0);
	said->status = status;
	said->ended = 1;
	for (;;) pause();
}

int main(int argc, char **argv) {
	if (argc != 2 || getpid() != 1) return 2;
	int plugin = open(argv[1], O_RDONLY);
	if (plugin < 0) return 2;
	/* The acts leave files in /tmp and /dev/shm and look into /proc. */
	if (mount("lazaret", "/dev/shm", "tmpfs", 0, "size=1m") < 0) return 3;
	if (mount("lazaret", "/tmp", "tmpfs", 0, "size=16m") < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0) return 3;
	close(open("/tmp/lazaret-was-here", O_RDWR | O_CREAT, 0600));
	close(open("/tmp/lazaret-was-here.other", O_RDWR | O_CREAT, 0600));
	struct rlimit files = { 256, 256 }, seconds = { 3, 3 };
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_CPU, &seconds);
	said = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t host = fork();
	if (host == 0) parent(plugin);
	int gone = 0, status = 0;
	/* A second, or what the machine is slow by. */
	for (int turn = 0; turn < 1500 && !said->returned && !said->ended; turn++) {
		usleep(1000);
		gone = gone || waitpid(host, &status, WNOHANG) == host;
		if (gone) {
			/* The act may be about to say that it worked. */
			usleep(5000);
			break;
		}
	}
	if (said->returned) printf("returned %d\n", said->value);
	else if (said->ended && WIFSIGNALED(said->status)) printf("signal %d\n", WTERMSIG(said->status));
	else if (said->ended) printf("exit %d\n", WEXITSTATUS(said->status));
	else if (gone) printf("signal %d\n", WTERMSIG(status));
	else printf("stays\n");
	return 0;
}

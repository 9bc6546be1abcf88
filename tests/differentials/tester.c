/* Loads each file named on the command line in a child of its own, and reports what happened: a line for each fact. The
   files themselves say whether a library that nobody named or `system` ran. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void mappings(const char *file) {
	char line[1024];
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof line, maps)) {
		if (strstr(line, "[stack]") && strstr(line, " rwxp ")) printf("stack=rwx\n");
		else if (strstr(line, " rwxp ") && strstr(line, file)) printf("mapping=rwx\n");
		if (strstr(line, "/libgood.so")) printf("libgood.so is mapped\n");
	}
	if (maps) fclose(maps);
}

static void try(char **files) {
	void *object = NULL;
	for (; *files; files++) {
		object = dlopen(*files, RTLD_NOW | RTLD_LOCAL);
		if (!object) {
			printf("refused: %s\n", dlerror());
			fflush(stdout);
			_exit(3);
		}
		const char *name = strrchr(*files, '/');
		mappings(name ? name + 1 : *files);
	}
	printf("loads\n");
	fflush(stdout);
	long (*abi)(void) = (long (*)(void))dlsym(object, "plugin_abi");
	long (*run)(void) = (long (*)(void))dlsym(object, "plugin_run");
	long (*stub)(void) = (long (*)(void))dlsym(object, "plugin_stub");
	if (!abi && !run) printf("no exports\n");
	if (abi && abi() > 1000) printf("code rewritten\n");
	if (dlsym(object, "plugin_secret")) printf("hidden export\n");
	int (**table)(void) = (int (**)(void))dlsym(object, "plugin_table");
	if (table && (table[0]() != 11 || table[1]() != 22)) printf("table changed\n");
	fflush(stdout);
	if (run) run();
	if (stub) stub();
	printf("called\n");
	fflush(stdout);
	_exit(0);
}

int main(int count, char **arguments) {
	(void)count;
	pid_t child = fork();
	if (child == 0) {
		alarm(8);
		try(arguments + 1);
	}
	int status = 0;
	if (child < 0 || waitpid(child, &status, 0) != child) return 1;
	if (WIFSIGNALED(status)) printf("signal %d\n", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0) printf("exit %d\n", WEXITSTATUS(status));
	return 0;
}

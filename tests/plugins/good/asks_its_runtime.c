#define _GNU_SOURCE
#include <fcntl.h>
#include <locale.h>
#include <stdint.h>
#include <sys/sysinfo.h>
#include <time.h>
int processors(void) { return get_nprocs(); }
int hour_of(int64_t seconds) {
	time_t time = seconds;
	struct tm parts;
	return localtime_r(&time, &parts) ? parts.tm_hour : -1;
}
int has_locale(const char *name) { return setlocale(LC_ALL, name) != 0; }
int opens(const char *path) { return open(path, O_RDONLY); }

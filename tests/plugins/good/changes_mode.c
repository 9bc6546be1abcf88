#include <errno.h>
#include <sys/stat.h>

/* 0, or the negative errno. */
int change_mode(const char *path) { return chmod(path, 0644) ? -errno : 0; }

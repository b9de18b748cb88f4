// Preloaded into a daemon: while the file that FAIL_SYNC names exists, every third sync fails as a broken disk's does.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_uint calls;

static int broken(void) {
  const char* sign = getenv("FAIL_SYNC");
  if (sign == NULL || access(sign, F_OK) != 0) return 0;
  return atomic_fetch_add(&calls, 1) % 3 == 2;
}

static int next(const char* name, int fd) {
  if (broken()) {
    errno = EIO;
    return -1;
  }
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  return real(fd);
}

int fsync(int fd) { return next("fsync", fd); }
int fdatasync(int fd) { return next("fdatasync", fd); }

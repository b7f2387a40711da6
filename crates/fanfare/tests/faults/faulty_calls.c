// A library to preload: one call on a file of the data directory fails, or ends the process, and the
// wall clock is moved, as the control file says. Every call goes to the kernel directly.
//
// The control file is shared memory with the test: an array of 64-bit numbers, by the names below.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CLOCK_SHIFT_S, CALLS, FILES, COUNTDOWN, ACTION, HITS, WRITES_AFTER, SYNCS_AFTER, NUMBERS };

enum { WRITE = 1, SYNC = 2, NAME = 4 };
enum { DATABASE = 1, LOG = 2, OTHER = 4 };
// Any other action is the `errno` that the call fails with.
enum { KILL = -1, LOSE = -2 };

static volatile int64_t *control;
static const char *directory;
// How long the log was when it was last flushed: what a loss of power leaves of it.
static volatile off_t log_flushed;

__attribute__((constructor)) static void load(void) {
    const char *file = getenv("FAULTY_CONTROL");
    directory = getenv("FAULTY_DIRECTORY");
    if (!file || !directory) return;
    int fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR);
    if (fd < 0) return;
    void *shared = mmap(NULL, NUMBERS * sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED) control = shared;
    syscall(SYS_close, fd);
}

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), rest = strlen(end);
    return length >= rest && strcmp(text + length - rest, end) == 0;
}

// Which file of the data directory `path` is; 0: it is elsewhere.
static int kind_of(const char *path) {
    if (strncmp(path, directory, strlen(directory)) != 0) return 0;
    if (ends_with(path, "/fanfare.db")) return DATABASE;
    if (ends_with(path, "/fanfare.db-wal")) return LOG;
    return OTHER;
}

static int kind_of_open(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return kind_of(path);
}

// Whether the call is the one that fails; it then does so with `errno`.
static int fails(int call, int kind, int fd) {
    if (!kind) return 0;
    if (control[HITS]) {
        if (call == WRITE) __atomic_add_fetch(&control[WRITES_AFTER], 1, __ATOMIC_SEQ_CST);
        if (call == SYNC) __atomic_add_fetch(&control[SYNCS_AFTER], 1, __ATOMIC_SEQ_CST);
    }
    if (!(control[CALLS] & call) || !(control[FILES] & kind) || control[COUNTDOWN] <= 0) return 0;
    if (__atomic_sub_fetch(&control[COUNTDOWN], 1, __ATOMIC_SEQ_CST) != 0) return 0;
    __atomic_add_fetch(&control[HITS], 1, __ATOMIC_SEQ_CST);
    int64_t action = control[ACTION];
    if (action == KILL) {
        syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
        for (;;) syscall(SYS_pause);
    }
    if (action == LOSE) {
        syscall(SYS_ftruncate, fd, log_flushed);
        action = EIO;
    }
    errno = (int)action;
    return 1;
}

static int sync_call(long number, int fd) {
    int kind = control ? kind_of_open(fd) : 0;
    if (fails(SYNC, kind, fd)) return -1;
    int outcome = syscall(number, fd);
    struct stat status;
    if (kind == LOG && outcome == 0 && fstat(fd, &status) == 0) log_flushed = status.st_size;
    return outcome;
}

int fsync(int fd) { return sync_call(SYS_fsync, fd); }

int fdatasync(int fd) { return sync_call(SYS_fdatasync, fd); }

ssize_t write(int fd, const void *bytes, size_t count) {
    if (control && fails(WRITE, kind_of_open(fd), fd)) return -1;
    return syscall(SYS_write, fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    if (control && fails(WRITE, kind_of_open(fd), fd)) return -1;
    return syscall(SYS_pwrite64, fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t count,
                        unsigned flags) {
    if (control && fails(WRITE, kind_of_open(out), out)) return -1;
    return syscall(SYS_copy_file_range, in, in_at, out, out_at, count, flags);
}

int ftruncate64(int fd, off64_t length) {
    if (control && fails(WRITE, kind_of_open(fd), fd)) return -1;
    return syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int rename(const char *from, const char *to) {
    if (control && fails(NAME, kind_of(to), -1)) return -1;
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path) {
    if (control && fails(NAME, kind_of(path), -1)) return -1;
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int outcome = syscall(SYS_clock_gettime, clock, time);
    if (control && outcome == 0 && clock == CLOCK_REALTIME) time->tv_sec += control[CLOCK_SHIFT_S];
    return outcome;
}

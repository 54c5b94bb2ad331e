/* Loaded before the C library: lets the Nth call of one kind on the files of a folder fail.
 * The names are those that the interpreter calls, which are not those of its source. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN, READ, WRITE, SYNC, CLOSE, RENAME, TRUNCATE, ALLOCATE, CHMOD };
/* Of the bytes of a call, one or half are read or written, if it does not fail with a number. */
/* Below these stand signals, which come at the call and let it pass. */
enum { ONE_BYTE = -1, HALF = -2, SIGNALS = -100 };

static char folder[4096], failed[4096];
static long counted, nth;
static int kind = -1, how, follows_output;

void shim_arm(const char *path, int of_kind, long number, int what, int output)
{
    strncpy(folder, path, sizeof folder - 1);
    counted = 0, nth = number, how = what, follows_output = output, kind = of_kind;
}
long shim_count(void) { return counted; }
const char *shim_failed(void) { return failed; }

static int below(const char *path)
{
    size_t length = strlen(folder);
    return path[0] != '/' || (!strncmp(path, folder, length) && path[length] == '/');
}

/* Counts a call, and tells whether it is the one; with the number 0 each of them is. */
static int hit(const char *path)
{
    long number = __sync_add_and_fetch(&counted, 1);
    if (nth && number != nth) return 0;
    strncpy(failed, path, sizeof failed - 1);
    if (how < SIGNALS) kill(getpid(), SIGNALS - how);
    return how >= SIGNALS;
}

static int hit_fd(int of_kind, int fd)
{
    char link[64], path[4096];
    if (kind != of_kind) return 0;
    if (fd == 1 && follows_output) return hit("standard output");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return path[0] == '/' && below(path) && hit(path);
}

static size_t shortened(size_t size) { return size < 2 ? size : how == HALF ? size / 2 : 1; }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_OR(call) do { if (how > 0) { errno = how; return -1; } return call; } while (0)

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    int fd = REAL(open64)(path, flags, mode);
    if (fd < 0 || !hit_fd(OPEN, fd)) return fd;
    REAL(close)(fd);
    if (flags & O_EXCL) unlink(path);
    errno = how;
    return -1;
}

#define MOVING(name, of_kind, parameters, whole, part)                                         \
    ssize_t name parameters                                                                    \
    {                                                                                          \
        if (hit_fd(of_kind, fd)) FAIL_OR(REAL(name) part);                                     \
        return REAL(name) whole;                                                               \
    }
#define BYTES(name, of_kind, type)                                                             \
    MOVING(name, of_kind, (int fd, type *at, size_t n), (fd, at, n), (fd, at, shortened(n)))
#define BYTES_AT(name, of_kind, type)                                                          \
    MOVING(name, of_kind, (int fd, type *at, size_t n, off64_t o), (fd, at, n, o),       \
           (fd, at, shortened(n), o))
BYTES(read, READ, void)
BYTES(write, WRITE, const void)
BYTES_AT(pread64, READ, void)
BYTES_AT(pwrite64, WRITE, const void)

ssize_t preadv64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags)
{
    struct iovec part = {parts->iov_base, shortened(parts->iov_len)};
    if (hit_fd(READ, fd)) FAIL_OR(REAL(preadv64v2)(fd, &part, 1, offset, flags));
    return REAL(preadv64v2)(fd, parts, count, offset, flags);
}

/* No test waits for a disk. */
int fsync(int fd) { if (hit_fd(SYNC, fd)) FAIL_OR(0); return 0; }

/* As on Linux, what cannot be closed is closed. */
int close(int fd)
{
    int is_hit = hit_fd(CLOSE, fd), result = REAL(close)(fd);
    if (is_hit) FAIL_OR(result);
    return result;
}

int rename(const char *from, const char *to)
{
    if (kind == RENAME && below(to) && hit(to)) FAIL_OR(0);
    return REAL(rename)(from, to);
}

int ftruncate64(int fd, off64_t size)
{
    if (hit_fd(TRUNCATE, fd)) FAIL_OR(0);
    return REAL(ftruncate64)(fd, size);
}

int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
    return hit_fd(ALLOCATE, fd) ? how : REAL(posix_fallocate64)(fd, offset, size);
}

int fchmod(int fd, mode_t mode)
{
    if (hit_fd(CHMOD, fd)) FAIL_OR(0);
    return REAL(fchmod)(fd, mode);
}

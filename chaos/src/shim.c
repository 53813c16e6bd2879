/* Stands between the server and the operating system (LD_PRELOAD).
 *
 * Files below CHAOS_DATA: what is written is remembered as unsynced until fsync or fdatasync copies it to
 * the same file below CHAOS_SHADOW. The shadow therefore holds what a power cut would leave. As in LazyFS,
 * removing and renaming take effect at once. Shared memory files (-shm) do not outlive a crash anyway.
 *
 * CHAOS_CONTROL is a shared page that the battery writes while the server runs:
 *   int64 clock offset in ms; int32 errno of every write; int32 errno of every sync.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t clock_offset_ms;
    int32_t write_errno;
    int32_t sync_errno;
};
struct range {
    off_t start, end;
};
/* A file below the data directory; shared by all its descriptors, never freed. */
struct file {
    char path[PATH_MAX];
    struct range *dirty;
    size_t count, room;
    struct file *next;
};

#define DESCRIPTORS 65536
static struct control nothing;
static volatile struct control *control = &nothing;
static const char *data_dir, *shadow_dir;
static struct file *files, *by_fd[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pread = dlsym(RTLD_NEXT, "pread64");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    data_dir = getenv("CHAOS_DATA");
    shadow_dir = getenv("CHAOS_SHADOW");
    const char *page = getenv("CHAOS_CONTROL");
    if (!page) return;
    int fd = real_open(page, O_RDONLY);
    void *map = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, fd, 0);
    if (fd < 0 || map == MAP_FAILED) {
        fprintf(stderr, "the battery's control page cannot be read\n");
        abort();
    }
    control = map;
    real_close(fd);
}

/* ---- which files are ours ---- */

static int is_ours(const char *path) {
    if (!data_dir || path[0] != '/') return 0;
    size_t length = strlen(data_dir), whole = strlen(path);
    if (strncmp(path, data_dir, length) != 0 || path[length] != '/') return 0;
    return whole < 4 || strcmp(path + whole - 4, "-shm") != 0;
}

static void shadow_of(const char *path, char *shadow) {
    snprintf(shadow, PATH_MAX, "%s%s", shadow_dir, path + strlen(data_dir));
}

static struct file *file_at(const char *path) {
    for (struct file *file = files; file; file = file->next)
        if (strcmp(file->path, path) == 0) return file;
    struct file *file = calloc(1, sizeof *file);
    snprintf(file->path, PATH_MAX, "%s", path);
    file->next = files;
    return files = file;
}

static void opened(int fd, const char *path, int flags) {
    if (fd < 0 || fd >= DESCRIPTORS) return;
    pthread_mutex_lock(&lock);
    by_fd[fd] = (flags & O_ACCMODE) != O_RDONLY && is_ours(path) ? file_at(path) : NULL;
    pthread_mutex_unlock(&lock);
}

static struct file *file_of(int fd) {
    return fd >= 0 && fd < DESCRIPTORS ? by_fd[fd] : NULL;
}

/* ---- what is not synced ---- */

static void wrote(struct file *file, off_t start, off_t end) {
    pthread_mutex_lock(&lock);
    struct range *last = file->count ? &file->dirty[file->count - 1] : NULL;
    if (last && start <= last->end && end >= last->start) {
        if (start < last->start) last->start = start;
        if (end > last->end) last->end = end;
    } else {
        if (file->count == file->room) {
            file->room = file->room ? 2 * file->room : 64;
            file->dirty = realloc(file->dirty, file->room * sizeof *file->dirty);
        }
        file->dirty[file->count++] = (struct range){start, end};
    }
    pthread_mutex_unlock(&lock);
}

/* Copies what was written since the last time; only then may the sync be said to have succeeded. */
static int keep(struct file *file) {
    char shadow[PATH_MAX], buffer[65536];
    shadow_of(file->path, shadow);
    pthread_mutex_lock(&lock);
    int from = real_open(file->path, O_RDONLY), to = real_open(shadow, O_WRONLY | O_CREAT, 0600);
    int done = from >= 0 && to >= 0 ? 0 : -1;
    for (size_t i = 0; done == 0 && i < file->count; i++) {
        off_t at = file->dirty[i].start;
        while (at < file->dirty[i].end) {
            size_t want = (size_t)(file->dirty[i].end - at);
            ssize_t got = real_pread(from, buffer, want < sizeof buffer ? want : sizeof buffer, at);
            if (got <= 0) break; /* it was truncated since */
            if (real_pwrite(to, buffer, (size_t)got, at) != got) done = -1;
            at += got;
        }
    }
    struct stat size;
    if (done == 0 && fstat(from, &size) == 0) done = real_ftruncate(to, size.st_size);
    if (done == 0) file->count = 0;
    if (from >= 0) real_close(from);
    if (to >= 0) real_close(to);
    pthread_mutex_unlock(&lock);
    if (done != 0) errno = EIO;
    return done;
}

/* ---- the calls ---- */

static int open_mode(const char *path, int flags, mode_t mode) {
    int fd = real_open(path, flags, mode);
    opened(fd, path, flags);
    return fd;
}
#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...) {                                                   \
        mode_t mode = 0;                                                                           \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                       \
            va_list rest;                                                                          \
            va_start(rest, flags);                                                                 \
            mode = va_arg(rest, mode_t);                                                           \
            va_end(rest);                                                                          \
        }                                                                                          \
        return open_mode(path, flags, mode);                                                       \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (fd >= 0 && fd < DESCRIPTORS) by_fd[fd] = NULL;
    return real_close(fd);
}

#define REFUSE_WRITE(file)                                                                         \
    if ((file) && control->write_errno) {                                                          \
        errno = control->write_errno;                                                              \
        return -1;                                                                                 \
    }

ssize_t write(int fd, const void *bytes, size_t length) {
    struct file *file = file_of(fd);
    REFUSE_WRITE(file)
    ssize_t done = real_write(fd, bytes, length);
    if (file && done > 0) {
        off_t end = lseek(fd, 0, SEEK_CUR);
        wrote(file, end - done, end);
    }
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct file *file = file_of(fd);
    REFUSE_WRITE(file)
    ssize_t done = real_writev(fd, parts, count);
    if (file && done > 0) {
        off_t end = lseek(fd, 0, SEEK_CUR);
        wrote(file, end - done, end);
    }
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
    struct file *file = file_of(fd);
    REFUSE_WRITE(file)
    ssize_t done = real_pwrite(fd, bytes, length, at);
    if (file && done > 0) wrote(file, at, at + done);
    return done;
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    return pwrite64(fd, bytes, length, at);
}

int ftruncate64(int fd, off_t length) {
    struct file *file = file_of(fd);
    REFUSE_WRITE(file)
    return real_ftruncate(fd, length);
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int sync_of(int fd, int (*real)(int)) {
    struct file *file = file_of(fd);
    if (file && control->sync_errno) {
        errno = control->sync_errno;
        return -1;
    }
    int done = real(fd);
    return file && shadow_dir && done == 0 ? keep(file) : done;
}
int fsync(int fd) { return sync_of(fd, real_fsync); }
int fdatasync(int fd) { return sync_of(fd, real_fdatasync); }

int unlink(const char *path) {
    if (shadow_dir && is_ours(path)) {
        char shadow[PATH_MAX];
        shadow_of(path, shadow);
        real_unlink(shadow);
    }
    return real_unlink(path);
}

int rename(const char *from, const char *to) {
    int done = real_rename(from, to);
    if (done == 0 && shadow_dir && is_ours(from) && is_ours(to)) {
        char shadow_from[PATH_MAX], shadow_to[PATH_MAX];
        shadow_of(from, shadow_from);
        shadow_of(to, shadow_to);
        real_rename(shadow_from, shadow_to);
    }
    return done;
}

/* ---- the wall clock; the monotonic one goes on as it does ---- */

int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = real_clock_gettime(clock, now);
    int64_t offset = control->clock_offset_ms;
    if (done == 0 && clock == CLOCK_REALTIME && offset != 0) {
        now->tv_sec += offset / 1000;
        now->tv_nsec += (offset % 1000) * 1000000;
        if (now->tv_nsec >= 1000000000) now->tv_nsec -= 1000000000, now->tv_sec += 1;
        if (now->tv_nsec < 0) now->tv_nsec += 1000000000, now->tv_sec -= 1;
    }
    return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec precise;
    int done = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return done;
}

time_t time(time_t *at) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (at) *at = precise.tv_sec;
    return precise.tv_sec;
}

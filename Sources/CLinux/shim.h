#ifndef CLINUX_SHIM_H
#define CLINUX_SHIM_H

#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/prctl.h>

/* Declared by the C library only with _GNU_SOURCE, which a module cannot set for its importer. */
extern int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);

#ifndef __USE_GNU
extern int sched_getaffinity(int process, size_t size, cpu_set_t *set);
/* The first members of dl_iterate_phdr(3)'s structure; declared here for the same reason as accept4. */
struct dl_phdr_info {
    ElfW(Addr) dlpi_addr;
    const char *dlpi_name;
    const ElfW(Phdr) *dlpi_phdr;
    ElfW(Half) dlpi_phnum;
};
extern int dl_iterate_phdr(int (*visit)(struct dl_phdr_info *object, size_t size, void *context), void *context);
#endif

/* Returns the new client's descriptor, non-blocking and close-on-exec, or -1. */
static inline int clinux_accept(int listener, struct sockaddr_storage *peer) {
    socklen_t length = sizeof *peer;
    return accept4(listener, (struct sockaddr *)peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Number of cores that the calling thread may run on, up to 8,192; 0 if the call fails. */
static inline int clinux_usable_cores(void) {
    cpu_set_t sets[8]; /* 1,024 cores each */
    /* The function behind sched.h's CPU_COUNT_S. The call has filled the unused sets with zeros. */
    return sched_getaffinity(0, sizeof sets, sets) == 0 ? __sched_cpucount(sizeof sets, sets) : 0;
}

/* Variadic in C, so not callable from Swift. */
static inline int clinux_open_null(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

static inline int clinux_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

/* Names the calling thread "loop 0" for `top -H` and debuggers; errors are ignored. */
static inline void clinux_name_loop(int index) {
    char name[16]; /* the kernel's maximum */
    snprintf(name, sizeof name, "loop %d", index);
    prctl(PR_SET_NAME, name);
}

/* Limits the unsent bytes that the kernel buffers per connection (tcp(7), TCP_NOTSENT_LOWAT). Accepted sockets inherit the
   option; a kernel without it buffers more. */
static inline void clinux_limit_unsent(int listener, int bytes) {
    setsockopt(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

/* Allocations from this size on get separate pages, which return to the kernel when they are freed. By default the C library
   raises this threshold to the size of a freed allocation, and keeps such allocations on the heap from then on. */
static inline void clinux_fix_mmap_threshold(int bytes) {
    mallopt(M_MMAP_THRESHOLD, bytes);
    mallopt(M_TRIM_THRESHOLD, bytes);
}

static inline void clinux_trim_heaps(void) { malloc_trim(0); }

/* Bytes that the peer of a TCP socket has not acknowledged (TIOCOUTQ, tcp(7)); 0 once the connection is broken. */
static inline int clinux_unacknowledged(int socket) {
    int error = 0, count = 0;
    socklen_t length = sizeof error;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0) return 0;
    return ioctl(socket, TIOCOUTQ, &count) == 0 ? count : 0;
}

static inline int clinux_duplicate(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 3); }

#endif

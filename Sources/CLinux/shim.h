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
/* The beginning of what dl_iterate_phdr(3) tells of each loaded object; declared as accept4 is. */
struct dl_phdr_info {
    ElfW(Addr) dlpi_addr;
    const char *dlpi_name;
    const ElfW(Phdr) *dlpi_phdr;
    ElfW(Half) dlpi_phnum;
};
extern int dl_iterate_phdr(int (*visit)(struct dl_phdr_info *object, size_t size, void *context), void *context);
#endif

/* A new client's descriptor, non-blocking and closed on exec, or -1. */
static inline int clinux_accept(int listener, struct sockaddr_storage *peer) {
    socklen_t length = sizeof *peer;
    return accept4(listener, (struct sockaddr *)peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* The cores that the calling thread may run on, of 8,192 at most; 0 when the kernel does not say. */
static inline int clinux_usable_cores(void) {
    cpu_set_t sets[8]; /* of 1,024 each */
    /* What sched.h counts with; the call fills the rest with zeros. */
    return sched_getaffinity(0, sizeof sets, sets) == 0 ? __sched_cpucount(sizeof sets, sets) : 0;
}

/* Variadic in C, so not callable from Swift. */
static inline int clinux_open_null(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

static inline int clinux_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

/* Names the calling thread "loop 0" for `top -H` and debuggers; a name is not worth an error. */
static inline void clinux_name_loop(int index) {
    char name[16]; /* as much as the kernel keeps */
    snprintf(name, sizeof name, "loop %d", index);
    prctl(PR_SET_NAME, name);
}

/* Lets the kernel wake the calling thread at most this much later than it asked for, instead of 50,000. */
static inline void clinux_set_timer_slack(unsigned long nanoseconds) { prctl(PR_SET_TIMERSLACK, nanoseconds); }

/* What the kernel takes of a connection's bytes before they can be sent (tcp(7), TCP_NOTSENT_LOWAT). Connections have it from
   the socket that they are accepted from; a kernel that refuses it takes more. */
static inline void clinux_limit_unsent(int listener, int bytes) {
    setsockopt(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

/* Buffers of this size are pages of their own, which go back to the kernel when they are freed. By itself the C library
   raises its limit to the size of what was freed, and keeps such buffers among the small ones from then on. */
static inline void clinux_fix_mmap_threshold(int bytes) {
    mallopt(M_MMAP_THRESHOLD, bytes);
    mallopt(M_TRIM_THRESHOLD, bytes);
}

static inline void clinux_trim_heaps(void) { malloc_trim(0); }

/* What the peer of a TCP socket has not acknowledged, which is nothing once the connection is broken (TIOCOUTQ, tcp(7)). */
static inline int clinux_unacknowledged(int socket) {
    int error = 0, count = 0;
    socklen_t length = sizeof error;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0) return 0;
    return ioctl(socket, TIOCOUTQ, &count) == 0 ? count : 0;
}

static inline int clinux_duplicate(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 3); }

#endif

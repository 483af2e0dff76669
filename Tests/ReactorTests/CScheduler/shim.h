#ifndef CSCHEDULER_SHIM_H
#define CSCHEDULER_SHIM_H

#include <linux/sched.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Decides which of two threads runs first, for tests that depend on it. The C library declares these calls only with
   _GNU_SOURCE, which a module cannot set for its importer. */

enum { CSCHEDULER_BITS = 8 * sizeof(unsigned long), CSCHEDULER_WORDS = 1024 / CSCHEDULER_BITS };

/* The original CPU affinity of both threads. */
struct cscheduler_places {
    unsigned long own[CSCHEDULER_WORDS], others[CSCHEDULER_WORDS];
};

static inline int cscheduler_thread(void) { return (int)syscall(SYS_gettid); }

/* Moves another thread to the caller's processor, to run only while the caller sleeps. Returns 0, or -1 with errno. */
static inline int cscheduler_subdue(int thread, struct cscheduler_places *before) {
    unsigned long here[CSCHEDULER_WORDS] = {0};
    struct sched_param none = {0};
    unsigned processor = 0;
    if (syscall(SYS_getcpu, &processor, NULL, NULL) < 0) return -1;
    if (syscall(SYS_sched_getaffinity, 0, sizeof before->own, before->own) < 0) return -1;
    if (syscall(SYS_sched_getaffinity, thread, sizeof before->others, before->others) < 0) return -1;
    here[processor / CSCHEDULER_BITS] = 1UL << processor % CSCHEDULER_BITS;
    if (syscall(SYS_sched_setaffinity, 0, sizeof here, here) < 0) return -1;
    if (syscall(SYS_sched_setaffinity, thread, sizeof here, here) < 0) return -1;
    return sched_setscheduler(thread, SCHED_IDLE | SCHED_RESET_ON_FORK, &none);
}

/* Restores affinity and policy. Without privileges the thread keeps the idle policy; threads that it starts do not. */
static inline void cscheduler_release(int thread, const struct cscheduler_places *before) {
    struct sched_param none = {0};
    sched_setscheduler(thread, SCHED_OTHER, &none);
    syscall(SYS_sched_setaffinity, thread, sizeof before->others, before->others);
    syscall(SYS_sched_setaffinity, 0, sizeof before->own, before->own);
}

#endif

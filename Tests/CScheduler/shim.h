#ifndef CSCHEDULER_SHIM_H
#define CSCHEDULER_SHIM_H

#include <linux/sched.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Which thread runs when and where, for tests that need one of two threads to be first. The C library declares these calls
   only with _GNU_SOURCE, which a module cannot set for its importer. */

/* The processor that the calling thread runs on, or -1. */
static inline int cscheduler_processor(void) {
    unsigned processor = 0;
    return syscall(SYS_getcpu, &processor, NULL, NULL) == 0 ? (int)processor : -1;
}

/* Keeps the calling thread on one processor; 0, or -1 with errno. */
static inline int cscheduler_stay_on(int processor) {
    enum { bits = 8 * sizeof(unsigned long) };
    unsigned long set[1024 / bits] = {0};
    set[processor / bits] = 1UL << processor % bits;
    return (int)syscall(SYS_sched_setaffinity, 0, sizeof set, set);
}

/* Has the calling thread run only while its processor has nothing else to do; 0, or -1 with errno. */
static inline int cscheduler_give_way(void) {
    struct sched_param none = {0};
    return sched_setscheduler(0, SCHED_IDLE, &none);
}

#endif

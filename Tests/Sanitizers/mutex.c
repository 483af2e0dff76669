// What the thread sanitizer has to know about Synchronization.Mutex, linked in front of the Swift runtime's functions of
// the same names.
//
// The fast paths of a Mutex are atomics, inlined into instrumented code. The slow ones, taken when threads meet, leave the
// hand-over to the kernel (futex(2), FUTEX_LOCK_PI) in a library that is not instrumented: the sanitizer then misses that
// one critical section came before the other, and reports races between them that are none. So each of the three calls
// the runtime's own function and says what it did.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

static void *runtime(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) abort();
    return found;
}

// Synchronization._MutexHandle._lockSlow(UInt32) -> ()
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK);
SWIFT void lock_slow(uint32_t thread, SELF) {
    SWIFT void (*lock)(uint32_t, SELF) = (SWIFT void (*)(uint32_t, SELF))runtime(LOCK);
    lock(thread, self);
    __tsan_acquire(self);
}

// Synchronization._MutexHandle._tryLockSlow() -> Bool
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
SWIFT bool try_lock_slow(SELF) __asm__(TRY_LOCK);
SWIFT bool try_lock_slow(SELF) {
    SWIFT bool (*try_lock)(SELF) = (SWIFT bool (*)(SELF))runtime(TRY_LOCK);
    bool locked = try_lock(self);
    if (locked) __tsan_acquire(self);
    return locked;
}

// Synchronization._MutexHandle._unlockSlow() -> ()
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
SWIFT void unlock_slow(SELF) __asm__(UNLOCK);
SWIFT void unlock_slow(SELF) {
    SWIFT void (*unlock)(SELF) = (SWIFT void (*)(SELF))runtime(UNLOCK);
    __tsan_release(self);
    unlock(self);
}

// What the thread sanitizer has to know about continuations, linked in front of the Swift runtime's functions of the same
// names.
//
// A continuation that is resumed before its task awaits it lets the task go on at once. The runtime orders the two with an
// atomic in a library that is not instrumented, and tells the sanitizer about the other case only, in which the task was
// suspended. The sanitizer then reports the task's next writes to its stack as a race with what the resuming thread read
// there.
//
// A resume between the acquire and the runtime's own look at the atomic is still missed; that is a matter of nanoseconds.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define SWIFT __attribute__((swiftcall))
#define ASYNC __attribute__((swiftasynccall))

SWIFT void *swift_task_getCurrent(void);

static void *runtime(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) abort();
    return found;
}

SWIFT void swift_continuation_resume(void *task) {
    SWIFT void (*resume)(void *) = (SWIFT void (*)(void *))runtime("swift_continuation_resume");
    __tsan_release(task);
    resume(task);
}

SWIFT void swift_continuation_throwingResume(void *task) {
    SWIFT void (*resume)(void *) = (SWIFT void (*)(void *))runtime("swift_continuation_throwingResume");
    __tsan_release(task);
    resume(task);
}

SWIFT void swift_continuation_throwingResumeWithError(void *task, void *error) {
    SWIFT void (*resume)(void *, void *) =
        (SWIFT void (*)(void *, void *))runtime("swift_continuation_throwingResumeWithError");
    __tsan_release(task);
    resume(task, error);
}

ASYNC void swift_continuation_await(void *context) {
    ASYNC void (*await)(void *) = (ASYNC void (*)(void *))runtime("swift_continuation_await");
    __tsan_acquire(swift_task_getCurrent());
    __attribute__((musttail)) return await(context);
}

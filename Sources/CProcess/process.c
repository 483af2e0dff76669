#include "process.h"

#include <signal.h>
#include <stddef.h>

static int count;
static char **arguments;

/* The GNU C library calls a constructor as it calls main. Swift's CommandLine looks for the arguments on the stack, by
   /proc/self/maps and `environ`: without that file, or when a library has set a variable before, it finds none.
   Until the command is known, a signal that stops a service waits. In the first process of a container it would be lost. */
__attribute__((constructor)) static void begin(int argc, char **argv, char **environment) {
    sigset_t signals;
    (void)environment;
    count = argc;
    arguments = argv;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
}

int cprocess_argument_count(void) { return count; }

const char *cprocess_argument(int index) { return arguments[index]; }

#include "process.h"

#include <signal.h>
#include <stddef.h>

static int count;
static char **arguments;

/* The GNU C library passes main's arguments to constructors. Swift's CommandLine searches the stack for them with
   /proc/self/maps and `environ`, and fails without that file, or when a library has set a variable before.
   SIGTERM and SIGINT stay pending until the command is known; in a container's first process they would be lost. */
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

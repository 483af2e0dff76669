#include "process.h"

static int count;
static char **arguments;

/* The GNU C library calls a constructor as it calls main. Swift's CommandLine looks for the arguments on the stack, by
   /proc/self/maps and `environ`: without that file, or when a library has set a variable before, it finds none. */
__attribute__((constructor)) static void keep_arguments(int argc, char **argv, char **environment) {
    (void)environment;
    count = argc;
    arguments = argv;
}

int cprocess_argument_count(void) { return count; }

const char *cprocess_argument(int index) { return arguments[index]; }

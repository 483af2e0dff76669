#ifndef CPROCESS_PROCESS_H
#define CPROCESS_PROCESS_H

/* How many arguments the process was given, its own name among them. */
int cprocess_argument_count(void);

/* The argument with this number, below the count; the process's own, for as long as it lives. */
const char *cprocess_argument(int index);

#endif

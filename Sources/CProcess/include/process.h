#ifndef CPROCESS_PROCESS_H
#define CPROCESS_PROCESS_H

/* Number of the process's arguments, including its name. */
int cprocess_argument_count(void);

/* The argument at `index`, which must be below the count. The text is valid for the process's lifetime. */
const char *cprocess_argument(int index);

#endif

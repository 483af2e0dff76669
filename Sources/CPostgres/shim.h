#ifndef CPOSTGRES_SHIM_H
#define CPOSTGRES_SHIM_H

#include <libpq-fe.h>

/* Notices would go to stderr, where nothing expects them. */
static inline void cpostgres_ignore_notice(void *context, const PGresult *result) { (void)context; (void)result; }

static inline void cpostgres_ignore_notices(PGconn *connection) {
    PQsetNoticeReceiver(connection, cpostgres_ignore_notice, 0);
}

#endif

/* Starting the engine of a file, in a session of its own. */
#ifndef SQLAGENT_START_H
#define SQLAGENT_START_H

#include <stddef.h>

/* A room for sockets that nobody else can reach; into `place`, that of a file's socket: what
** SQLAGENT_SOCKET says, else in XDG_RUNTIME_DIR or /tmp. NULL, or what is wrong, for
** sqlite3_free(). */
char *start_place(const char *path, char *place, size_t room);

/* Start the engine and wait until it listens. NULL, or what is wrong, for sqlite3_free().
** `stop(argument)` says whether to give up waiting. */
char *start_engine(const char *path, const char *socket_path, int (*stop)(void *), void *argument);

#endif

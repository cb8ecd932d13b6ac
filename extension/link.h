/* The connection to the engine, byte by byte: what engine.c asks and answers by. */
#ifndef SQLAGENT_LINK_H
#define SQLAGENT_LINK_H

#include "engine.h"

/* Whether the statement of the client whose Engine this is was interrupted, or is out of time. */
int link_interrupted(void *engine);

/* A socket connected to a place, or -1 with errno; EPERM where another user listens there. */
int link_dial(const char *place);
void link_hang_up(Engine *engine);

/* Whether nothing has come, neither an end nor a word: an answer is to what is asked next. */
int link_quiet(int fd);

/* 1 where all was sent. */
int link_send(int fd, const uint8_t *data, size_t length);

/* The next frame, of at most so many bytes, into engine->frame: SQLITE_OK; SQLITE_IOERR where the
** engine is gone, SQLITE_INTERRUPT, SQLITE_CORRUPT for what is no frame, SQLITE_NOMEM. */
int link_receive(Engine *engine, uint32_t most, Reader *reader);

#endif

/* The engine: a process that has the file open, reached over a socket and started on demand. */
#ifndef SQLAGENT_ENGINE_H
#define SQLAGENT_ENGINE_H

#include <sys/types.h>

#include "wire.h"

typedef struct Parameter {
  char *name;
  int required;
} Parameter;

typedef struct Column {
  char *name, *type;
} Column;

typedef struct Function {
  char *name, *signature;
  int is_table, writes, deterministic;
  int repeats; /* asking twice does no harm */
  int parameter_count, column_count;
  Parameter *parameters;
  Column *columns; /* one, `value`, of a scalar */
} Function;

/* A client's connection, and what it knows of the engine. */
typedef struct Engine {
  sqlite3 *db;
  int users;           /* registrations, each of which holds the engine */
  int fd;              /* -1 while there is no connection */
  pid_t pid;           /* who made it: a forked child makes its own */
  int read_only;
  char *path;   /* of the database file; NULL where there is none that is ours */
  char *reason; /* why there is none */
  char *socket_path;
  uint64_t key; /* names the connection to whoever interrupts it */
  uint32_t calls;
  Function *functions; /* of the first connection: what is registered */
  int function_count;
  Writer out;
  uint8_t *frame; /* the frame that came last */
  size_t frame_room;
} Engine;

/* The engine of a client's connection. SQLITE_OK, or a code with *message for sqlite3_free(). A file
** that is none of sqlagent's has no engine, and a reason. */
int engine_open(sqlite3 *db, Engine **engine, char **message);
void engine_free(void *engine);

/* Connect where that is not done or was lost, starting the engine where it does not run. */
int engine_ready(Engine *engine, char **message);

/* Send engine->out; then wait for a frame. `*type` is its first byte, `*reply` the rest, which
** stays until the next frame. An error that the engine tells is a code with its message. */
int engine_ask(Engine *engine, char *type, Reader *reply, char **message);

/* The same; where the engine dies of it, or before, once more of another. */
int engine_ask_again(Engine *engine, char *type, Reader *reply, char **message);

/* Send engine->out, with no reply to wait for. */
void engine_tell(Engine *engine);

/* Take the frame from the engine, so that it outlives the next; for sqlite3_free(). */
uint8_t *engine_take_frame(Engine *engine);

/* Whether the client holds the write lock, so that the engine cannot write. */
int engine_locked_out(Engine *engine);

#endif

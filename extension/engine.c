/* What is asked of the engine, and who greets it; see engine.h. */
#define _GNU_SOURCE
#include "engine.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "link.h"
#include "start.h"

SQLITE_EXTENSION_INIT3

#ifndef SQLAGENT_VERSION
#error "SQLAGENT_VERSION is the version of the package, as a string"
#endif
#define ATTEMPTS 3
#define WELCOME_MAX (1u << 24)

uint8_t *engine_take_frame(Engine *engine) {
  uint8_t *frame = engine->frame;
  engine->frame = NULL;
  engine->frame_room = 0;
  return frame;
}

/* Asking ---------------------------------------------------------------------------------------*/

static int exchange(Engine *engine, uint32_t most, char *type, Reader *reply) {
  int code = writer_end(&engine->out);
  if (code != SQLITE_OK) return code;
  code = SQLITE_IOERR;
  if (link_quiet(engine->fd) && link_send(engine->fd, engine->out.data, engine->out.used))
    code = link_receive(engine, most, reply);
  if (code == SQLITE_OK) *type = (char)reader_u8(reply);
  else link_hang_up(engine); /* what comes would be the answer to another question */
  return code;
}

/* The code and text of a frame of type 'X'. */
static int told_error(Reader *reply, char **message) {
  int code = reader_u8(reply);
  *message = reader_text(reply);
  if (*message == NULL) *message = sqlite3_mprintf("the engine gave an error without a text");
  return code == SQLITE_OK || code >= SQLITE_ROW ? SQLITE_ERROR : code;
}

int engine_ask(Engine *engine, char *type, Reader *reply, char **message) {
  int code = exchange(engine, FRAME_MAX, type, reply);
  if (code == SQLITE_OK && *type == 'X') return told_error(reply, message);
  if (code == SQLITE_INTERRUPT) *message = sqlite3_mprintf("interrupted");
  if (code == SQLITE_CORRUPT) *message = sqlite3_mprintf("what the engine sent is no answer");
  if (code == SQLITE_IOERR)
    *message = sqlite3_mprintf("the engine went away before it answered\n"
                               "hint: %s.log may say why; the next call starts it again",
                               engine->socket_path);
  return code;
}

int engine_ask_again(Engine *engine, char *type, Reader *reply, char **message) {
  int code = engine_ask(engine, type, reply, message);
  if (code != SQLITE_IOERR || engine->fd >= 0) return code;
  Writer asked = engine->out; /* a greeting is written in its place */
  memset(&engine->out, 0, sizeof engine->out);
  sqlite3_free(*message);
  *message = NULL;
  code = engine_ready(engine, message);
  writer_free(&engine->out);
  engine->out = asked;
  return code == SQLITE_OK ? engine_ask(engine, type, reply, message) : code;
}

void engine_tell(Engine *engine) {
  if (engine->fd < 0 || engine->pid != getpid()) return;
  if (writer_end(&engine->out) != SQLITE_OK ||
      !link_send(engine->fd, engine->out.data, engine->out.used))
    link_hang_up(engine);
}

/* The first words ------------------------------------------------------------------------------*/

static void free_functions(Engine *engine) {
  for (int i = 0; i < engine->function_count; i++) {
    Function *function = &engine->functions[i];
    for (int j = 0; j < function->parameter_count; j++) sqlite3_free(function->parameters[j].name);
    for (int j = 0; j < function->column_count; j++) {
      sqlite3_free(function->columns[j].name);
      sqlite3_free(function->columns[j].type);
    }
    sqlite3_free(function->parameters);
    sqlite3_free(function->columns);
    sqlite3_free(function->name);
    sqlite3_free(function->signature);
  }
  sqlite3_free(engine->functions);
  engine->functions = NULL;
  engine->function_count = 0;
}

static void *zeros(sqlite3_uint64 size) {
  void *found = sqlite3_malloc64(size > 0 ? size : 1);
  if (found != NULL) memset(found, 0, size);
  return found;
}

static int read_function(Reader *reader, Function *function) {
  int kind = reader_u8(reader), flags = reader_u8(reader);
  function->is_table = kind == 2;
  function->writes = (flags & 1) != 0;
  function->deterministic = (flags & 2) != 0;
  function->repeats = (flags & 4) != 0;
  function->name = reader_text(reader);
  function->signature = reader_text(reader);
  int count = reader_u16(reader);
  function->parameters = zeros((sqlite3_uint64)count * sizeof(Parameter));
  for (int i = 0; function->parameters != NULL && i < count && !reader->bad; i++) {
    function->parameters[i].name = reader_text(reader);
    function->parameters[i].required = reader_u8(reader);
    function->parameter_count = i + 1;
    if (function->parameters[i].name == NULL) reader->bad = 1;
  }
  count = reader_u16(reader);
  function->columns = zeros((sqlite3_uint64)count * sizeof(Column));
  for (int i = 0; function->columns != NULL && i < count && !reader->bad; i++) {
    function->columns[i].name = reader_text(reader);
    function->columns[i].type = reader_text(reader);
    function->column_count = i + 1;
    if (function->columns[i].name == NULL || function->columns[i].type == NULL) reader->bad = 1;
  }
  return !reader->bad && function->name != NULL && function->signature != NULL &&
         function->parameters != NULL && function->columns != NULL && function->column_count > 0;
}

static int read_functions(Engine *engine, Reader *reader) {
  uint32_t count = reader_u32(reader);
  /* A function takes more than 8 bytes, so a count that is a lie takes no memory. */
  if (reader->bad || count > (size_t)(reader->end - reader->at) / 8) return SQLITE_CORRUPT;
  engine->functions = zeros((sqlite3_uint64)count * sizeof(Function));
  if (engine->functions == NULL) return SQLITE_NOMEM;
  for (uint32_t i = 0; i < count; i++) {
    engine->function_count = (int)i + 1;
    if (!read_function(reader, &engine->functions[i])) {
      free_functions(engine);
      return SQLITE_CORRUPT;
    }
  }
  return SQLITE_OK;
}

/* Say who we are, and hear who the engine is. `*again`: another engine has to be started. */
static int greet(Engine *engine, int any_version, int *again, char **message) {
  struct stat seen;
  char type = 0;
  Reader reply;
  if (stat(engine->path, &seen) != 0) {
    *message = sqlite3_mprintf("%s: %s", engine->path, strerror(errno));
    return SQLITE_CANTOPEN;
  }
  Writer *out = &engine->out;
  writer_begin(out, 'H');
  writer_text(out, "sqlagent");
  writer_u16(out, PROTOCOL);
  writer_u8(out, (uint8_t)(engine->read_only | any_version << 1));
  writer_u64(out, (uint64_t)seen.st_dev);
  writer_u64(out, (uint64_t)seen.st_ino);
  writer_text(out, SQLAGENT_VERSION);
  int code = exchange(engine, WELCOME_MAX, &type, &reply);
  if (code == SQLITE_IOERR) *again = 1; /* it was about to end */
  if (code == SQLITE_OK && type == 'Z') {
    *again = 1;
    return SQLITE_ERROR;
  }
  if (code == SQLITE_OK && type == 'X') return told_error(&reply, message);
  if (code == SQLITE_OK && type == 'W') {
    engine->key = reader_u64(&reply);
    if (reply.bad) code = SQLITE_CORRUPT;
    else if (engine->functions == NULL) code = read_functions(engine, &reply);
  } else if (code == SQLITE_OK) {
    code = SQLITE_CORRUPT;
  }
  if (code != SQLITE_OK)
    *message = code == SQLITE_INTERRUPT
                   ? sqlite3_mprintf("interrupted")
                   : sqlite3_mprintf("what listens at %s is no engine of sqlagent's",
                                     engine->socket_path);
  return code;
}

int engine_ready(Engine *engine, char **message) {
  if (engine->path == NULL) {
    *message = sqlite3_mprintf("%s", engine->reason);
    return SQLITE_ERROR;
  }
  if (engine->fd >= 0 && engine->pid == getpid()) {
    if (link_quiet(engine->fd)) return SQLITE_OK;
  }
  link_hang_up(engine);
  engine->pid = getpid();
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    int again = 0, code = SQLITE_CANTOPEN;
    sqlite3_free(*message);
    *message = NULL;
    engine->fd = link_dial(engine->socket_path);
    if (engine->fd >= 0) {
      code = greet(engine, attempt > 0, &again, message);
      if (code == SQLITE_OK) return SQLITE_OK;
      link_hang_up(engine);
    } else {
      again = errno == ENOENT || errno == ECONNREFUSED;
      *message = sqlite3_mprintf("%s: %s", engine->socket_path, strerror(errno));
    }
    if (!again) return code;
    char *wrong = start_engine(engine->path, engine->socket_path, link_interrupted, engine);
    if (wrong != NULL) {
      sqlite3_free(*message);
      *message = wrong;
      return strcmp(wrong, "interrupted") == 0 ? SQLITE_INTERRUPT : SQLITE_CANTOPEN;
    }
  }
  if (*message == NULL) *message = sqlite3_mprintf("the engine ends as soon as it has begun");
  return SQLITE_CANTOPEN;
}

/* A client's connection ------------------------------------------------------------------------*/

int engine_locked_out(Engine *engine) {
  if (sqlite3_libversion_number() >= 3034000)
    return sqlite3_txn_state(engine->db, "main") == SQLITE_TXN_WRITE;
  return !sqlite3_get_autocommit(engine->db);
}

/* Whether the main database is a file of sqlagent's: no other may get its tables by a .load. */
static int is_ours(sqlite3 *db) {
  sqlite3_stmt *found = NULL;
  const char *sql = "SELECT 1 FROM main.sqlite_master WHERE type = 'table' "
                    "AND name = 'sqlagent_migrations'";
  int yes = sqlite3_prepare_v2(db, sql, -1, &found, NULL) == SQLITE_OK &&
            sqlite3_step(found) == SQLITE_ROW;
  sqlite3_finalize(found);
  return yes;
}

int engine_open(sqlite3 *db, Engine **made, char **message) {
  Engine *engine = zeros(sizeof *engine);
  if (engine == NULL) return SQLITE_NOMEM;
  *made = engine;
  engine->db = db;
  engine->fd = -1;
  engine->users = 1;
  engine->read_only = sqlite3_db_readonly(db, "main") == 1;
  const char *name = sqlite3_db_filename(db, "main");
  if (name == NULL || *name == 0) {
    engine->reason = sqlite3_mprintf("there is no file that sqlagent could open\n"
                                     "hint: load the extension once a file is open");
    return engine->reason != NULL ? SQLITE_OK : SQLITE_NOMEM;
  }
  if (!is_ours(db)) {
    engine->reason = sqlite3_mprintf("%s is no file of sqlagent's\n"
                                     "hint: sqlagent %s --create makes it one", name, name);
    return engine->reason != NULL ? SQLITE_OK : SQLITE_NOMEM;
  }
  char real[PATH_MAX], place[sizeof((struct sockaddr_un *)0)->sun_path];
  if (realpath(name, real) == NULL) {
    *message = sqlite3_mprintf("%s: %s", name, strerror(errno));
    return SQLITE_CANTOPEN;
  }
  *message = start_place(real, place, sizeof place);
  if (*message != NULL) return SQLITE_CANTOPEN;
  engine->path = sqlite3_mprintf("%s", real);
  engine->socket_path = sqlite3_mprintf("%s", place);
  if (engine->path == NULL || engine->socket_path == NULL) return SQLITE_NOMEM;
  return engine_ready(engine, message);
}

void engine_free(void *argument) {
  Engine *engine = argument;
  if (--engine->users > 0) return;
  if (engine->fd >= 0) close(engine->fd);
  free_functions(engine);
  writer_free(&engine->out);
  sqlite3_free(engine->frame);
  sqlite3_free(engine->path);
  sqlite3_free(engine->reason);
  sqlite3_free(engine->socket_path);
  sqlite3_free(engine);
}

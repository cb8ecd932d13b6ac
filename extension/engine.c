/* The connection to the engine; see engine.h. */
#define _GNU_SOURCE
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "start.h"

SQLITE_EXTENSION_INIT3

#ifndef SQLAGENT_VERSION
#error "SQLAGENT_VERSION is the version of the package, as a string"
#endif
#define SLICE_MS 50          /* how often an interrupt is looked for */
#define INTERRUPT_SLICES 100 /* so long an engine may take to end what was interrupted */
#ifndef STALL_SLICES
#define STALL_SLICES 600 /* so long an engine may be silent in the middle of a frame */
#endif
#define ATTEMPTS 3
#define WELCOME_MAX (1u << 24)
#define CHUNK (64u * 1024u) /* a frame's memory grows with what has come, not with what is promised */

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* Interrupts -----------------------------------------------------------------------------------*/

/* Some thousands of steps of SQLite's machine, so that a progress handler of the client's is asked:
** many clients limit the time of a statement by one. It takes less than a thousandth of a slice. */
#define PROBE                                                                             \
  "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300) "       \
  "SELECT count(*) FROM c"

/* Whether the client's statement was interrupted: then no other runs either. */
static int interrupted(void *argument) {
  Engine *engine = argument;
  sqlite3_stmt *probe = NULL;
  int code = sqlite3_prepare_v2(engine->db, PROBE, -1, &probe, NULL);
  if (code == SQLITE_OK) code = sqlite3_step(probe);
  sqlite3_finalize(probe);
  return code == SQLITE_INTERRUPT;
}

/* The socket -----------------------------------------------------------------------------------*/

static int same_user(int fd) {
#if defined(__linux__)
  struct ucred peer;
  socklen_t length = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid();
#else
  uid_t user;
  gid_t group;
  return getpeereid(fd, &user, &group) == 0 && user == geteuid();
#endif
}

/* A connected socket, or -1 with errno; EPERM where another user listens there. */
static int dial(const char *place) {
  struct sockaddr_un address;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  if (strlen(place) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, place, strlen(place));
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return -1;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
#ifdef SO_NOSIGPIPE
  int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes);
#endif
  int code;
  do code = connect(fd, (struct sockaddr *)&address, sizeof address);
  while (code != 0 && errno == EINTR);
  int wrong = code != 0 ? errno : same_user(fd) ? 0 : EPERM;
  if (wrong) {
    close(fd);
    errno = wrong;
    return -1;
  }
  return fd;
}

static void hang_up(Engine *engine) {
  if (engine->fd >= 0) close(engine->fd);
  engine->fd = -1;
}

/* Whether nothing has come, neither an end nor a word: an answer is to what is asked next. */
static int is_quiet(int fd) {
  struct pollfd seen = {.fd = fd, .events = POLLIN};
  return poll(&seen, 1, 0) == 0;
}

static int send_all(int fd, const uint8_t *data, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return 0;
    data += sent;
    length -= (size_t)sent;
  }
  return 1;
}

/* Tell the engine, by another connection, to end what this one asked for. */
static void interrupt(Engine *engine) {
  Writer writer = {0};
  writer_begin(&writer, 'I');
  writer_u64(&writer, engine->key);
  int fd = writer_end(&writer) == SQLITE_OK ? dial(engine->socket_path) : -1;
  if (fd >= 0) {
    send_all(fd, writer.data, writer.used);
    close(fd);
  }
  writer_free(&writer);
}

/* So many bytes: SQLITE_OK, SQLITE_IOERR where the engine is gone, SQLITE_INTERRUPT. `begun` says
** that they are of a frame that has begun: the engine is not at work on them any more. */
static int receive(Engine *engine, uint8_t *data, size_t length, int begun, int *slices) {
  int silent = 0;
  while (length > 0) {
    struct pollfd waiting = {.fd = engine->fd, .events = POLLIN};
    int came = poll(&waiting, 1, SLICE_MS);
    if (came > 0) {
      begun = 1;
      silent = 0;
      ssize_t got = recv(engine->fd, data, length, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return SQLITE_IOERR;
      data += got;
      length -= (size_t)got;
    } else if (came < 0 && errno != EINTR) {
      return SQLITE_IOERR;
    } else if (begun && came == 0 && ++silent > STALL_SLICES) {
      return SQLITE_IOERR;
    } else if (*slices > 0) {
      if (--*slices == 0) return SQLITE_INTERRUPT;
    } else if (interrupted(engine)) {
      *slices = INTERRUPT_SLICES;
      interrupt(engine);
    }
  }
  return SQLITE_OK;
}

/* The next frame into engine->frame. */
static int receive_frame(Engine *engine, uint32_t most, Reader *reader) {
  uint8_t head[4];
  int slices = 0;
  int code = receive(engine, head, sizeof head, 0, &slices);
  if (code != SQLITE_OK) return code;
  uint32_t length = head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 |
                    (uint32_t)head[3] << 24;
  if (length == 0 || length > most) return SQLITE_CORRUPT;
  for (size_t used = 0; used < length;) {
    if (used == engine->frame_room) {
      size_t room = engine->frame_room < CHUNK ? CHUNK : 2 * engine->frame_room;
      uint8_t *frame = sqlite3_realloc64(engine->frame, room);
      if (frame == NULL) return SQLITE_NOMEM;
      engine->frame = frame;
      engine->frame_room = room;
    }
    size_t wanted = (length < engine->frame_room ? length : engine->frame_room) - used;
    code = receive(engine, engine->frame + used, wanted, 1, &slices);
    if (code != SQLITE_OK) return code;
    used += wanted;
  }
  reader->at = engine->frame;
  reader->end = engine->frame + length;
  reader->bad = 0;
  return SQLITE_OK;
}

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
  if (is_quiet(engine->fd) && send_all(engine->fd, engine->out.data, engine->out.used))
    code = receive_frame(engine, most, reply);
  if (code == SQLITE_OK) *type = (char)reader_u8(reply);
  else hang_up(engine); /* what comes would be the answer to another question */
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
      !send_all(engine->fd, engine->out.data, engine->out.used))
    hang_up(engine);
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
    if (is_quiet(engine->fd)) return SQLITE_OK;
  }
  hang_up(engine);
  engine->pid = getpid();
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    int again = 0, code = SQLITE_CANTOPEN;
    sqlite3_free(*message);
    *message = NULL;
    engine->fd = dial(engine->socket_path);
    if (engine->fd >= 0) {
      code = greet(engine, attempt > 0, &again, message);
      if (code == SQLITE_OK) return SQLITE_OK;
      hang_up(engine);
    } else {
      again = errno == ENOENT || errno == ECONNREFUSED;
      *message = sqlite3_mprintf("%s: %s", engine->socket_path, strerror(errno));
    }
    if (!again) return code;
    char *wrong = start_engine(engine->path, engine->socket_path, interrupted, engine);
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

/* The connection to the engine, byte by byte; see link.h. */
#define _GNU_SOURCE
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

SQLITE_EXTENSION_INIT3

#define SLICE_MS 50          /* how often an interrupt is looked for */
#define INTERRUPT_SLICES 100 /* so long an engine may take to end what was interrupted */
#ifndef STALL_SLICES
#define STALL_SLICES 600 /* so long an engine may be silent in the middle of a frame */
#endif
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
int link_interrupted(void *argument) {
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
int link_dial(const char *place) {
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

void link_hang_up(Engine *engine) {
  if (engine->fd >= 0) close(engine->fd);
  engine->fd = -1;
}

/* Whether nothing has come, neither an end nor a word: an answer is to what is asked next. */
int link_quiet(int fd) {
  struct pollfd seen = {.fd = fd, .events = POLLIN};
  return poll(&seen, 1, 0) == 0;
}

int link_send(int fd, const uint8_t *data, size_t length) {
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
  int fd = writer_end(&writer) == SQLITE_OK ? link_dial(engine->socket_path) : -1;
  if (fd >= 0) {
    link_send(fd, writer.data, writer.used);
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
    } else if (link_interrupted(engine)) {
      *slices = INTERRUPT_SLICES;
      interrupt(engine);
    }
  }
  return SQLITE_OK;
}

/* The next frame into engine->frame. */
int link_receive(Engine *engine, uint32_t most, Reader *reader) {
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

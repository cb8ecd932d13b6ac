/* Starting the engine; see start.h. */
#define _GNU_SOURCE
#include "start.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include "sqlite3ext.h"

SQLITE_EXTENSION_INIT3

#define PATH_ROOM 4096
#define WAIT_S 60    /* for an engine that starts */
#define SLICE_MS 50  /* how often an interrupt is looked for */
#define DESCRIPTORS 65536

extern char **environ;

/* The place of the socket ----------------------------------------------------------------------*/

/* NULL where a folder is the user's alone, made if need be; else what is wrong. */
static char *own_folder(const char *folder) {
  struct stat seen;
  if (mkdir(folder, 0700) != 0 && errno != EEXIST)
    return sqlite3_mprintf("cannot make the folder %s: %s", folder, strerror(errno));
  if (lstat(folder, &seen) != 0)
    return sqlite3_mprintf("cannot look at %s: %s", folder, strerror(errno));
  if (!S_ISDIR(seen.st_mode) || seen.st_uid != geteuid() || (seen.st_mode & 077) != 0)
    return sqlite3_mprintf("%s is not a folder that only its user can reach", folder);
  return NULL;
}

char *start_place(const char *path, char *place, size_t room) {
  char folder[PATH_ROOM];
  const char *told = getenv("SQLAGENT_SOCKET");
  if (told != NULL && *told) {
    if (strlen(told) >= room) return sqlite3_mprintf("SQLAGENT_SOCKET is too long: %s", told);
    sqlite3_snprintf((int)room, place, "%s", told);
    return NULL;
  }
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (const char *at = path; *at; at++) hash = (hash ^ (uint8_t)*at) * 1099511628211u;
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  if (runtime != NULL && runtime[0] == '/' && strlen(runtime) + 32 < room) {
    sqlite3_snprintf(sizeof folder, folder, "%s/sqlagent", runtime);
    char *wrong = own_folder(folder);
    if (wrong == NULL) {
      sqlite3_snprintf((int)room, place, "%s/%016llx", folder, (unsigned long long)hash);
      return NULL;
    }
    sqlite3_free(wrong);
  }
  sqlite3_snprintf(sizeof folder, folder, "/tmp/sqlagent-%u", (unsigned)geteuid());
  sqlite3_snprintf((int)room, place, "%s/%016llx", folder, (unsigned long long)hash);
  return own_folder(folder);
}

/* The program ----------------------------------------------------------------------------------*/

static int runs(const char *program) {
  struct stat seen;
  return stat(program, &seen) == 0 && S_ISREG(seen.st_mode) && access(program, X_OK) == 0;
}

/* The program `sqlagent`: what SQLAGENT_COMMAND says, that of the environment in which this library
** is installed, or one on PATH. */
static int find_program(char *program) {
  const char *told = getenv("SQLAGENT_COMMAND");
  if (told != NULL && *told) {
    sqlite3_snprintf(PATH_ROOM, program, "%s", told);
    return runs(program);
  }
  Dl_info here;
  char folder[PATH_ROOM];
  if (dladdr((void *)(uintptr_t)&start_engine, &here) && here.dli_fname != NULL &&
      realpath(here.dli_fname, folder) != NULL) {
    for (char *cut = strrchr(folder, '/'); cut != NULL && cut != folder;
         cut = strrchr(folder, '/')) {
      *cut = 0;
      sqlite3_snprintf(PATH_ROOM, program, "%s/bin/sqlagent", folder);
      if (runs(program)) return 1;
    }
  }
  const char *path = getenv("PATH");
  while (path != NULL && *path) {
    size_t length = strcspn(path, ":");
    if (length > 0 && path[0] == '/' && length < PATH_ROOM - 16) {
      sqlite3_snprintf(PATH_ROOM, program, "%.*s/sqlagent", (int)length, path);
      if (runs(program)) return 1;
    }
    path += length + (path[length] == ':');
  }
  return 0;
}

/* The process ----------------------------------------------------------------------------------*/

/* In the new process: only what may be called between fork() and exec(). */
static void become(const char *program, char *const argv[], const char *log, int out) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  int in = open("/dev/null", O_RDONLY);
  int err = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW, 0600);
  if (err < 0) err = open("/dev/null", O_WRONLY);
  if (in < 0 || err < 0) _exit(126);
  /* None of the three is among the numbers that the others are moved to. */
  in = fcntl(in, F_DUPFD, 3);
  err = fcntl(err, F_DUPFD, 3);
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(126);
  int closed = -1;
#if defined(__linux__) && defined(SYS_close_range)
  closed = (int)syscall(SYS_close_range, 3u, ~0u, 0u);
#endif
  if (closed != 0) {
    long most = sysconf(_SC_OPEN_MAX);
    if (most < 0 || most > DESCRIPTORS) most = DESCRIPTORS;
    for (int fd = 3; fd < (int)most; fd++) close(fd);
  }
  execve(program, argv, environ);
  _exit(127);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What the engine says of itself, a line: into `said`. -1 where it says nothing, -2 to give up. */
static int hear(int fd, char *said, size_t room, int (*stop)(void *), void *argument) {
  size_t used = 0;
  int64_t end = now_ms() + 1000 * WAIT_S;
  for (;;) {
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    int came = poll(&waiting, 1, SLICE_MS);
    if (came > 0) {
      ssize_t got = read(fd, said + used, room - 1 - used);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      used += (size_t)got;
      if (memchr(said, '\n', used) != NULL || used + 1 == room) break;
    } else if (came < 0 && errno != EINTR) {
      break;
    } else if (stop(argument)) {
      return -2;
    } else if (now_ms() > end) {
      break;
    }
  }
  said[used] = 0;
  said[strcspn(said, "\n")] = 0;
  return used > 0 ? 0 : -1;
}

char *start_engine(const char *path, const char *socket_path, int (*stop)(void *), void *argument) {
  char program[PATH_ROOM], log[PATH_ROOM], said[PATH_ROOM];
  int ends[2];
  if (!find_program(program))
    return sqlite3_mprintf("the program sqlagent is not found, which is the engine of %s\n"
                           "hint: pip install sqlagent, or name it in SQLAGENT_COMMAND", path);
  sqlite3_snprintf(sizeof log, log, "%s.log", socket_path);
  if (pipe(ends) != 0) return sqlite3_mprintf("no pipe to the engine: %s", strerror(errno));
  int in = fcntl(ends[0], F_DUPFD_CLOEXEC, 3), out = fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
  close(ends[0]);
  close(ends[1]);
  char *const argv[] = {program,    "extension",         "--serve", (char *)(uintptr_t)path,
                        "--socket", (char *)(uintptr_t)socket_path, NULL};
  pid_t child = in < 0 || out < 0 ? -1 : fork();
  if (child == 0) { /* its own child is nobody's, so that it leaves no zombie to this process */
    if (setsid() < 0) _exit(126);
    pid_t engine = fork();
    if (engine == 0) become(program, argv, log, out);
    _exit(engine < 0 ? 126 : 0);
  }
  int wrong = errno;
  if (out >= 0) close(out);
  int heard = -1;
  if (child > 0) {
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    heard = hear(in, said, sizeof said, stop, argument);
  }
  if (in >= 0) close(in);
  if (child < 0) return sqlite3_mprintf("no process for the engine: %s", strerror(wrong));
  if (heard == -2) return sqlite3_mprintf("interrupted");
  if (heard == -1)
    return sqlite3_mprintf("the engine %s did not start\nhint: %s may say why", program, log);
  return strcmp(said, "ready") == 0 ? NULL : sqlite3_mprintf("%s", said);
}

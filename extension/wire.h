/* What goes over the socket: frames of a length, a type and a payload, numbers little-endian.
**
** A value is a tag (0 NULL, 1 integer, 2 real, 3 text, 4 blob) and 8 bytes, or a length of 4 bytes
** and so many bytes. See sqlagent/serve/local/wire.py, which says the same in Python.
*/
#ifndef SQLAGENT_WIRE_H
#define SQLAGENT_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "sqlite3ext.h"

#ifndef PROTOCOL
#define PROTOCOL 1
#endif
#define FRAME_MAX 0x7fffffffu

enum Tag { TAG_NULL, TAG_INTEGER, TAG_REAL, TAG_TEXT, TAG_BLOB };

/* A frame that is written. `full` is set where there was no memory; then nothing more is added. */
typedef struct Writer {
  uint8_t *data;
  size_t used, room;
  int full;
} Writer;

void writer_begin(Writer *writer, char type);
void writer_u8(Writer *writer, uint8_t value);
void writer_u16(Writer *writer, uint16_t value);
void writer_u32(Writer *writer, uint32_t value);
void writer_u64(Writer *writer, uint64_t value);
void writer_text(Writer *writer, const char *text);
void writer_value(Writer *writer, sqlite3_value *value);
/* The frame with its length filled in: SQLITE_OK, SQLITE_NOMEM or SQLITE_TOOBIG. */
int writer_end(Writer *writer);
void writer_free(Writer *writer);

/* A payload that is read. Past its end every read gives 0 and sets `bad`. */
typedef struct Reader {
  const uint8_t *at, *end;
  int bad;
} Reader;

uint8_t reader_u8(Reader *reader);
uint16_t reader_u16(Reader *reader);
uint32_t reader_u32(Reader *reader);
uint64_t reader_u64(Reader *reader);
/* `*length` bytes, which stay in the frame; NULL where they are not there. */
const uint8_t *reader_bytes(Reader *reader, uint32_t *length);
/* A copy with a NUL at its end, for sqlite3_free(); NULL where it is not there or no memory is. */
char *reader_text(Reader *reader);

/* A value as it lies in a frame. */
typedef struct Value {
  uint8_t tag;
  uint32_t length;
  union {
    int64_t integer;
    double real;
    const uint8_t *bytes;
  } of;
} Value;

void reader_value(Reader *reader, Value *value);
void value_result(sqlite3_context *context, const Value *value);

#endif

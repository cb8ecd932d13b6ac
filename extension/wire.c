/* Frames and values; see wire.h. Nothing here trusts a length that came over the socket. */
#include "wire.h"

#include <string.h>

SQLITE_EXTENSION_INIT3

/* Writing --------------------------------------------------------------------------------------*/

static uint8_t *grown(Writer *writer, size_t more) {
  if (writer->full) return NULL;
  if (more > writer->room - writer->used) {
    size_t room = writer->room ? writer->room : 256;
    while (room - writer->used < more) {
      if (room > FRAME_MAX) {
        writer->full = SQLITE_TOOBIG;
        return NULL;
      }
      room *= 2;
    }
    uint8_t *data = sqlite3_realloc64(writer->data, room);
    if (data == NULL) {
      writer->full = SQLITE_NOMEM;
      return NULL;
    }
    writer->data = data;
    writer->room = room;
  }
  uint8_t *at = writer->data + writer->used;
  writer->used += more;
  return at;
}

static void number(Writer *writer, uint64_t value, int bytes) {
  uint8_t *at = grown(writer, (size_t)bytes);
  for (int i = 0; at != NULL && i < bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
}

void writer_begin(Writer *writer, char type) {
  writer->used = 0;
  writer->full = 0;
  number(writer, 0, 4); /* the length */
  number(writer, (uint8_t)type, 1);
}

void writer_u8(Writer *writer, uint8_t value) { number(writer, value, 1); }
void writer_u16(Writer *writer, uint16_t value) { number(writer, value, 2); }
void writer_u32(Writer *writer, uint32_t value) { number(writer, value, 4); }
void writer_u64(Writer *writer, uint64_t value) { number(writer, value, 8); }

static void bytes(Writer *writer, const void *data, size_t length) {
  if (length > FRAME_MAX) {
    writer->full = SQLITE_TOOBIG;
    return;
  }
  number(writer, length, 4);
  uint8_t *at = grown(writer, length);
  if (at != NULL && length > 0) memcpy(at, data, length);
}

void writer_text(Writer *writer, const char *text) { bytes(writer, text, strlen(text)); }

void writer_value(Writer *writer, sqlite3_value *value) {
  uint64_t bits;
  double real;
  const void *data;
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
      writer_u8(writer, TAG_INTEGER);
      writer_u64(writer, (uint64_t)sqlite3_value_int64(value));
      break;
    case SQLITE_FLOAT:
      real = sqlite3_value_double(value);
      memcpy(&bits, &real, sizeof bits);
      writer_u8(writer, TAG_REAL);
      writer_u64(writer, bits);
      break;
    case SQLITE_TEXT:
      data = sqlite3_value_text(value); /* before its length, which is that of UTF-8 then */
      writer_u8(writer, TAG_TEXT);
      if (data == NULL) writer->full = SQLITE_NOMEM;
      else bytes(writer, data, (size_t)sqlite3_value_bytes(value));
      break;
    case SQLITE_BLOB:
      data = sqlite3_value_blob(value); /* NULL where it is empty */
      writer_u8(writer, TAG_BLOB);
      bytes(writer, data, data == NULL ? 0 : (size_t)sqlite3_value_bytes(value));
      break;
    default:
      writer_u8(writer, TAG_NULL);
  }
}

int writer_end(Writer *writer) {
  if (writer->full) return writer->full;
  if (writer->used - 4 > FRAME_MAX) return SQLITE_TOOBIG;
  for (int i = 0; i < 4; i++) writer->data[i] = (uint8_t)((writer->used - 4) >> (8 * i));
  return SQLITE_OK;
}

void writer_free(Writer *writer) {
  sqlite3_free(writer->data);
  memset(writer, 0, sizeof *writer);
}

/* Reading --------------------------------------------------------------------------------------*/

static const uint8_t *taken(Reader *reader, size_t length) {
  if (reader->bad || length > (size_t)(reader->end - reader->at)) {
    reader->bad = 1;
    return NULL;
  }
  const uint8_t *at = reader->at;
  reader->at += length;
  return at;
}

static uint64_t numbered(Reader *reader, int bytes) {
  const uint8_t *at = taken(reader, (size_t)bytes);
  uint64_t value = 0;
  for (int i = 0; at != NULL && i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
  return value;
}

uint8_t reader_u8(Reader *reader) { return (uint8_t)numbered(reader, 1); }
uint16_t reader_u16(Reader *reader) { return (uint16_t)numbered(reader, 2); }
uint32_t reader_u32(Reader *reader) { return (uint32_t)numbered(reader, 4); }
uint64_t reader_u64(Reader *reader) { return numbered(reader, 8); }

const uint8_t *reader_bytes(Reader *reader, uint32_t *length) {
  *length = reader_u32(reader);
  const uint8_t *at = taken(reader, *length);
  if (at == NULL) *length = 0;
  return at;
}

char *reader_text(Reader *reader) {
  uint32_t length;
  const uint8_t *at = reader_bytes(reader, &length);
  if (at == NULL) return NULL;
  char *text = sqlite3_malloc64((sqlite3_uint64)length + 1);
  if (text == NULL) return NULL;
  memcpy(text, at, length);
  text[length] = 0;
  return text;
}

void reader_value(Reader *reader, Value *value) {
  uint64_t bits;
  value->tag = reader_u8(reader);
  value->length = 0;
  value->of.integer = 0;
  switch (value->tag) {
    case TAG_NULL:
      break;
    case TAG_INTEGER:
      value->of.integer = (int64_t)reader_u64(reader);
      break;
    case TAG_REAL:
      bits = reader_u64(reader);
      memcpy(&value->of.real, &bits, sizeof bits);
      break;
    case TAG_TEXT:
    case TAG_BLOB:
      value->of.bytes = reader_bytes(reader, &value->length);
      break;
    default:
      reader->bad = 1;
  }
  if (reader->bad) value->tag = TAG_NULL;
}

void value_result(sqlite3_context *context, const Value *value) {
  switch (value->tag) {
    case TAG_INTEGER:
      sqlite3_result_int64(context, value->of.integer);
      break;
    case TAG_REAL:
      sqlite3_result_double(context, value->of.real);
      break;
    case TAG_TEXT:
      sqlite3_result_text64(context, (const char *)value->of.bytes, value->length,
                            SQLITE_TRANSIENT, SQLITE_UTF8);
      break;
    case TAG_BLOB:
      if (value->length == 0) sqlite3_result_zeroblob(context, 0);
      else sqlite3_result_blob64(context, value->of.bytes, value->length, SQLITE_TRANSIENT);
      break;
    default:
      sqlite3_result_null(context);
  }
}

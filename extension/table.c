/* A function as a table: `SELECT * FROM recall('ada', 'tea') WHERE k = 5`.
**
** Its columns come first, then a hidden one for each argument. A plan in which a required argument
** is not known yet is refused, which is what makes lateral joins come out in the right order.
*/
#include "table.h"

#include <string.h>

SQLITE_EXTENSION_INIT3

typedef struct Table {
  sqlite3_vtab base;
  Binding *binding;
} Table;

typedef struct Cursor {
  sqlite3_vtab_cursor base;
  uint32_t call;         /* the engine's name for the rows */
  int more;              /* whether the engine has rows beyond this frame */
  uint32_t left;         /* rows of the frame that are still to come */
  int end;               /* past the last row */
  sqlite3_int64 number;  /* of the row, from 0 */
  uint8_t *frame;        /* what the row lies in */
  Reader reader;
  Value *row;
  sqlite3_value **given; /* the arguments, by their place; NULL for one that was left out */
} Cursor;

Binding *binding_make(Engine *engine, const Function *function) {
  Binding *binding = sqlite3_malloc(sizeof *binding);
  if (binding == NULL) return NULL;
  binding->engine = engine;
  binding->function = function;
  engine->users++;
  return binding;
}

void binding_free(void *argument) {
  Binding *binding = argument;
  engine_free(binding->engine);
  sqlite3_free(binding);
}

int call_begin(Binding *binding, int count, char **message) {
  Engine *engine = binding->engine;
  const Function *function = binding->function;
  if (function->writes && engine->read_only) {
    *message = sqlite3_mprintf("%s writes, and the file is open for reading only", function->name);
    return SQLITE_READONLY;
  }
  if (function->writes && engine_locked_out(engine)) {
    *message = sqlite3_mprintf("%s writes by itself, and would wait for this transaction\n"
                               "hint: COMMIT first, or call it in a SELECT of its own",
                               function->name);
    return SQLITE_BUSY;
  }
  int code = engine_ready(engine, message);
  if (code != SQLITE_OK) return code;
  writer_begin(&engine->out, 'C');
  writer_u32(&engine->out, ++engine->calls);
  writer_text(&engine->out, function->name);
  writer_u16(&engine->out, (uint16_t)count);
  return SQLITE_OK;
}

/* The table ------------------------------------------------------------------------------------*/

/* A type that a declaration may have: words, no more. */
static const char *declared(const char *type) {
  return type[strspn(type, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ")] ? "" : type;
}

static int table_connect(sqlite3 *db, void *argument, int argc, const char *const *argv,
                         sqlite3_vtab **made, char **message) {
  Binding *binding = argument;
  const Function *function = binding->function;
  (void)argc;
  (void)argv;
  (void)message;
  sqlite3_str *text = sqlite3_str_new(db);
  sqlite3_str_appendall(text, "CREATE TABLE x(");
  for (int i = 0; i < function->column_count; i++)
    sqlite3_str_appendf(text, "%s\"%w\" %s", i ? "," : "", function->columns[i].name,
                        declared(function->columns[i].type));
  for (int i = 0; i < function->parameter_count; i++)
    sqlite3_str_appendf(text, ",\"%w\" HIDDEN", function->parameters[i].name);
  sqlite3_str_appendall(text, ")");
  char *sql = sqlite3_str_finish(text);
  if (sql == NULL) return SQLITE_NOMEM;
  int code = sqlite3_declare_vtab(db, sql);
  sqlite3_free(sql);
  if (code != SQLITE_OK) return code;
  /* Whoever wrote the file must not be able to call it from a view or a trigger. */
  sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
  Table *table = sqlite3_malloc(sizeof *table);
  if (table == NULL) return SQLITE_NOMEM;
  memset(table, 0, sizeof *table);
  table->binding = binding;
  *made = &table->base;
  return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *vtab) {
  sqlite3_free(vtab);
  return SQLITE_OK;
}

static int wrong(sqlite3_vtab *vtab, int code, char *message) {
  sqlite3_free(vtab->zErrMsg);
  vtab->zErrMsg = message;
  return code;
}

static int table_best_index(sqlite3_vtab *vtab, sqlite3_index_info *index) {
  const Function *function = ((Table *)vtab)->binding->function;
  int first = function->column_count, used = 0;
  sqlite3_str *places = sqlite3_str_new(NULL);
  int missing = -1, later = 0;
  for (int place = 0; place < function->parameter_count; place++) {
    int found = -1, waits = 0;
    for (int i = 0; i < index->nConstraint && found < 0; i++) {
      if (index->aConstraint[i].iColumn != first + place ||
          index->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
        continue;
      if (index->aConstraint[i].usable) found = i;
      else waits = 1;
    }
    if (found >= 0) {
      index->aConstraintUsage[found].argvIndex = ++used;
      index->aConstraintUsage[found].omit = 1;
      sqlite3_str_appendf(places, "%d,", place);
    } else if (waits) {
      later = 1;
    } else if (function->parameters[place].required && missing < 0) {
      missing = place;
    }
  }
  char *text = sqlite3_str_finish(places);
  if (later) {
    sqlite3_free(text);
    return SQLITE_CONSTRAINT; /* with the tables in another order it is known */
  }
  if (missing >= 0) {
    sqlite3_free(text);
    return wrong(vtab, SQLITE_ERROR,
                 sqlite3_mprintf("%s needs its argument %s\nhint: it is %s", function->name,
                                 function->parameters[missing].name, function->signature));
  }
  if (text == NULL && used > 0) return SQLITE_NOMEM;
  index->idxStr = text;
  index->needToFreeIdxStr = text != NULL;
  index->estimatedCost = 1000.0;
  index->estimatedRows = 10;
  return SQLITE_OK;
}

/* The cursor -----------------------------------------------------------------------------------*/

static int cursor_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **made) {
  const Function *function = ((Table *)vtab)->binding->function;
  size_t row = (size_t)function->column_count * sizeof(Value);
  size_t given = ((size_t)function->parameter_count + 1) * sizeof(sqlite3_value *);
  Cursor *cursor = sqlite3_malloc64(sizeof *cursor);
  if (cursor == NULL) return SQLITE_NOMEM;
  memset(cursor, 0, sizeof *cursor);
  cursor->row = sqlite3_malloc64(row);
  cursor->given = sqlite3_malloc64(given);
  if (cursor->row == NULL || cursor->given == NULL) {
    sqlite3_free(cursor->row);
    sqlite3_free(cursor->given);
    sqlite3_free(cursor);
    return SQLITE_NOMEM;
  }
  memset(cursor->row, 0, row);
  memset(cursor->given, 0, given);
  cursor->end = 1;
  *made = &cursor->base;
  return SQLITE_OK;
}

/* Forget the rows of a call, the engine too. */
static void cursor_reset(Cursor *cursor) {
  Binding *binding = ((Table *)cursor->base.pVtab)->binding;
  if (cursor->more) {
    writer_begin(&binding->engine->out, 'K');
    writer_u32(&binding->engine->out, cursor->call);
    engine_tell(binding->engine);
  }
  cursor->more = 0;
  cursor->left = 0;
  cursor->end = 1;
  sqlite3_free(cursor->frame);
  cursor->frame = NULL;
  for (int i = 0; i < binding->function->parameter_count; i++) {
    sqlite3_value_free(cursor->given[i]);
    cursor->given[i] = NULL;
  }
}

static int cursor_close(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  cursor_reset(cursor);
  sqlite3_free(cursor->row);
  sqlite3_free(cursor->given);
  sqlite3_free(cursor);
  return SQLITE_OK;
}

/* Ask with engine->out for rows, and take the frame that they come in. */
static int cursor_ask(Cursor *cursor, int again) {
  Engine *engine = ((Table *)cursor->base.pVtab)->binding->engine;
  char type = 0, *message = NULL;
  Reader reply;
  cursor->more = 0;
  int code = again ? engine_ask_again(engine, &type, &reply, &message)
                   : engine_ask(engine, &type, &reply, &message);
  if (code == SQLITE_OK) {
    uint32_t call = reader_u32(&reply);
    int more = reader_u8(&reply);
    cursor->left = reader_u32(&reply);
    if (type != 'R' || reply.bad || call != cursor->call) {
      cursor->left = 0;
      code = SQLITE_CORRUPT;
    } else {
      sqlite3_free(cursor->frame);
      cursor->frame = engine_take_frame(engine);
      cursor->reader = reply;
      cursor->more = more;
    }
  }
  if (code == SQLITE_CORRUPT && message == NULL)
    message = sqlite3_mprintf("what the engine sent is no answer");
  return code == SQLITE_OK ? code : wrong(cursor->base.pVtab, code, message);
}

static int cursor_next(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  Binding *binding = ((Table *)base->pVtab)->binding;
  cursor->number++;
  while (cursor->left == 0 && cursor->more) {
    Engine *engine = binding->engine;
    if (engine->fd < 0) {
      cursor->more = 0;
      return wrong(base->pVtab, SQLITE_IOERR, sqlite3_mprintf("the engine went away"));
    }
    writer_begin(&engine->out, 'N');
    writer_u32(&engine->out, cursor->call);
    int code = cursor_ask(cursor, 0);
    if (code != SQLITE_OK) {
      cursor->end = 1;
      return code;
    }
  }
  cursor->end = cursor->left == 0;
  if (cursor->end) return SQLITE_OK;
  cursor->left--;
  for (int i = 0; i < binding->function->column_count; i++)
    reader_value(&cursor->reader, &cursor->row[i]);
  if (cursor->reader.bad) {
    cursor->end = 1;
    cursor->left = 0;
    return wrong(base->pVtab, SQLITE_CORRUPT,
                 sqlite3_mprintf("what the engine sent is no answer"));
  }
  return SQLITE_OK;
}

static int cursor_filter(sqlite3_vtab_cursor *base, int number, const char *places, int argc,
                         sqlite3_value **argv) {
  Cursor *cursor = (Cursor *)base;
  Binding *binding = ((Table *)base->pVtab)->binding;
  char *message = NULL;
  (void)number;
  cursor_reset(cursor);
  int code = call_begin(binding, argc, &message);
  if (code != SQLITE_OK) return wrong(base->pVtab, code, message);
  cursor->call = binding->engine->calls;
  cursor->number = -1;
  for (int i = 0; i < argc; i++) {
    int place = 0;
    while (*places >= '0' && *places <= '9') place = 10 * place + (*places++ - '0');
    places += *places == ',';
    writer_u16(&binding->engine->out, (uint16_t)place);
    writer_value(&binding->engine->out, argv[i]);
    cursor->given[place] = sqlite3_value_dup(argv[i]);
  }
  code = cursor_ask(cursor, binding->function->repeats);
  return code == SQLITE_OK ? cursor_next(base) : code;
}

static int cursor_eof(sqlite3_vtab_cursor *base) { return ((Cursor *)base)->end; }

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int at) {
  Cursor *cursor = (Cursor *)base;
  const Function *function = ((Table *)base->pVtab)->binding->function;
  if (at < function->column_count) {
    value_result(context, &cursor->row[at]);
  } else if (at - function->column_count < function->parameter_count) {
    sqlite3_value *given = cursor->given[at - function->column_count];
    if (given != NULL) sqlite3_result_value(context, given);
  }
  return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *number) {
  *number = ((Cursor *)base)->number;
  return SQLITE_OK;
}

/* Without xCreate it is there by its name alone, and no CREATE VIRTUAL TABLE gets into a file. */
const sqlite3_module table_module = {
    .iVersion = 0,
    .xConnect = table_connect,
    .xBestIndex = table_best_index,
    .xDisconnect = table_disconnect,
    .xOpen = cursor_open,
    .xClose = cursor_close,
    .xFilter = cursor_filter,
    .xNext = cursor_next,
    .xEof = cursor_eof,
    .xColumn = cursor_column,
    .xRowid = cursor_rowid,
};

/* sqlagent0: the functions of sqlagent in any SQLite client, by a process that has the file open.
**
**   .load sqlagent0
**   SELECT content, score FROM recall('ada', 'tea') WHERE k = 5;
**   SELECT a.agent_id, r.content FROM agents a, recall(a.agent_id, 'tea') r;
**   SELECT remember('ada', 'she likes oolong');
**
** The engine is asked once, at load, which functions there are; each becomes a virtual table, and
** what gives one value a scalar too. `sqlagent(sql, …)` runs any statement on the engine, and gives
** its rows as a JSON list of objects.
*/
#include "sqlite3ext.h"
#include "table.h"

SQLITE_EXTENSION_INIT1

#define LEAST_VERSION 3031000 /* SQLITE_VTAB_DIRECTONLY */

#ifdef _WIN32
#error "sqlagent0 speaks over a Unix socket"
#endif

static void fail(sqlite3_context *context, int code, char *message) {
  if (code == SQLITE_NOMEM) sqlite3_result_error_nomem(context);
  else if (code == SQLITE_TOOBIG) sqlite3_result_error_toobig(context);
  else {
    sqlite3_result_error(context, message != NULL ? message : "the engine gave an error", -1);
    sqlite3_result_error_code(context, code);
  }
  sqlite3_free(message);
}

static void scalar(sqlite3_context *context, int argc, sqlite3_value **argv) {
  Binding *binding = sqlite3_user_data(context);
  Engine *engine = binding->engine;
  char *message = NULL, type = 0;
  Reader reply;
  int code = call_begin(binding, argc, &message);
  if (code != SQLITE_OK) {
    fail(context, code, message);
    return;
  }
  uint32_t call = engine->calls;
  for (int i = 0; i < argc; i++) {
    writer_u16(&engine->out, (uint16_t)i);
    writer_value(&engine->out, argv[i]);
  }
  code = binding->function->repeats ? engine_ask_again(engine, &type, &reply, &message)
                                    : engine_ask(engine, &type, &reply, &message);
  if (code == SQLITE_OK) {
    Value value;
    int right = type == 'R' && reader_u32(&reply) == call && reader_u8(&reply) == 0 &&
                reader_u32(&reply) == 1;
    if (right) reader_value(&reply, &value);
    if (right && !reply.bad) {
      value_result(context, &value);
      return;
    }
    code = SQLITE_CORRUPT;
    message = sqlite3_mprintf("what the engine sent is no answer");
  }
  fail(context, code, message);
}

static void unavailable(sqlite3_context *context, int argc, sqlite3_value **argv) {
  Engine *engine = sqlite3_user_data(context);
  (void)argc;
  (void)argv;
  sqlite3_result_error(context, engine->reason, -1);
}

static int register_function(sqlite3 *db, Engine *engine, const Function *function) {
  Binding *binding = binding_make(engine, function);
  if (binding == NULL) return SQLITE_NOMEM;
  int code = sqlite3_create_module_v2(db, function->name, &table_module, binding, binding_free);
  if (code != SQLITE_OK || function->is_table) return code;
  binding = binding_make(engine, function);
  if (binding == NULL) return SQLITE_NOMEM;
  int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY;
  if (function->deterministic) flags |= SQLITE_DETERMINISTIC;
  return sqlite3_create_function_v2(db, function->name, -1, flags, binding, scalar, NULL, NULL,
                                    binding_free);
}

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int sqlite3_sqlagent_init(sqlite3 *db, char **message, const sqlite3_api_routines *pApi);

int sqlite3_sqlagent_init(sqlite3 *db, char **message, const sqlite3_api_routines *pApi) {
  SQLITE_EXTENSION_INIT2(pApi)
  if (sqlite3_libversion_number() < LEAST_VERSION) {
    *message = sqlite3_mprintf("sqlagent0 needs SQLite 3.31, this is %s", sqlite3_libversion());
    return SQLITE_ERROR;
  }
  Engine *engine = NULL;
  int code = engine_open(db, &engine, message);
  if (engine == NULL) return code;
  if (code == SQLITE_OK && engine->path == NULL) {
    engine->users++;
    code = sqlite3_create_function_v2(db, "sqlagent", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, engine,
                                      unavailable, NULL, NULL, engine_free);
  }
  for (int i = 0; code == SQLITE_OK && i < engine->function_count; i++)
    code = register_function(db, engine, &engine->functions[i]);
  engine_free(engine);
  return code;
}

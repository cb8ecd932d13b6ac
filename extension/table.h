/* The functions of the engine as eponymous virtual tables. */
#ifndef SQLAGENT_TABLE_H
#define SQLAGENT_TABLE_H

#include "engine.h"

/* What a registration holds. */
typedef struct Binding {
  Engine *engine;
  const Function *function;
} Binding;

Binding *binding_make(Engine *engine, const Function *function);
void binding_free(void *binding);

/* Begin engine->out with a call; the values are to follow, each with its parameter's place. Refuses
** what would write where that cannot be. */
int call_begin(Binding *binding, int count, char **message);

extern const sqlite3_module table_module;

#endif

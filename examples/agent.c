/* Remember, recall and query with libpq: cc agent.c -I"$(pg_config --includedir)" -lpq */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

static PGresult *run(PGconn *agent, const char *sql, int count, const char *const *values) {
  PGresult *found = PQexecParams(agent, sql, count, NULL, values, NULL, NULL, 0);
  if (PQresultStatus(found) != PGRES_TUPLES_OK) {
    fprintf(stderr, "%s", PQerrorMessage(agent));
    exit(1);
  }
  return found;
}

int main(void) {
  PGconn *agent = PQconnectdb("");
  if (PQstatus(agent) != CONNECTION_OK) {
    fprintf(stderr, "%s", PQerrorMessage(agent));
    return 1;
  }
  const char *told[] = {"ada", "Grace likes green tea."};
  PQclear(run(agent, "SELECT remember($1, $2)", 2, told));
  const char *asked[] = {"ada", "what does Grace drink?"};
  PGresult *found = run(agent, "SELECT content, score FROM recall($1, $2, k => 3)", 2, asked);
  for (int row = 0; row < PQntuples(found); row++)
    printf("%.2f %s\n", atof(PQgetvalue(found, row, 1)), PQgetvalue(found, row, 0));
  PQclear(found);
  found = run(agent, "SELECT count(*) FROM memories WHERE agent_id = $1", 1, asked);
  printf("%s memories\n", PQgetvalue(found, 0, 0));
  PQclear(found);
  PQfinish(agent);
  return 0;
}

# Remember, recall and query with DBI and RPostgreSQL.
library(DBI)
said <- function(name) Sys.getenv(name)
agent <- dbConnect(RPostgreSQL::PostgreSQL(), host = said("PGHOST"), port = as.integer(said("PGPORT")),
                   dbname = said("PGDATABASE"), user = said("PGUSER"), password = said("PGPASSWORD"))
invisible(dbGetQuery(agent, "SELECT remember($1, $2)", list("ada", "Grace likes green tea.")))
found <- dbGetQuery(agent, "SELECT content, score FROM recall($1, $2, k => 3)",
                    list("ada", "what does Grace drink?"))
cat(sprintf("%.2f %s\n", found$score, found$content), sep = "")
count <- dbGetQuery(agent, "SELECT count(*) AS n FROM memories WHERE agent_id = $1", "ada")
cat(count$n, "memories\n")
invisible(dbDisconnect(agent))

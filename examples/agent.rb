# Remember, recall and query with the gem pg.
require "pg"

agent = PG.connect
agent.exec_params("SELECT remember($1, $2)", ["ada", "Grace likes green tea."])
found = agent.exec_params(
  "SELECT content, score FROM recall($1, $2, k => 3)", ["ada", "what does Grace drink?"]
)
found.each { |row| puts format("%.2f %s", row["score"].to_f, row["content"]) }
count = agent.exec_params("SELECT count(*) FROM memories WHERE agent_id = $1", ["ada"])
puts "#{count.getvalue(0, 0)} memories"

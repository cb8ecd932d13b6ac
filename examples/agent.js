// Remember, recall and query with node-postgres.
const { Client } = require("pg");

async function main() {
  const agent = new Client();
  await agent.connect();
  await agent.query("SELECT remember($1, $2)", ["ada", "Grace likes green tea."]);
  const found = await agent.query("SELECT content, score FROM recall($1, $2, k => 3)", [
    "ada",
    "what does Grace drink?",
  ]);
  for (const row of found.rows) console.log(row.score.toFixed(2), row.content);
  const { rows } = await agent.query("SELECT count(*) AS n FROM memories WHERE agent_id = $1", [
    "ada",
  ]);
  console.log(rows[0].n, "memories");
  await agent.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

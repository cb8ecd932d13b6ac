// Remember, recall and query with tokio-postgres.
use tokio_postgres::{Config, Error, NoTls};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let said = |name: &str| std::env::var(name).unwrap_or_default();
    let mut config = Config::new();
    config.host(&said("PGHOST")).port(said("PGPORT").parse().unwrap_or(5432));
    config.dbname(&said("PGDATABASE")).user(&said("PGUSER")).password(said("PGPASSWORD"));
    let (agent, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    agent.query("SELECT remember($1, $2)", &[&"ada", &"Grace likes green tea."]).await?;
    let found = "SELECT content, score FROM recall($1, $2, k => 3)";
    for row in agent.query(found, &[&"ada", &"what does Grace drink?"]).await? {
        println!("{:.2} {}", row.get::<_, f64>("score"), row.get::<_, &str>("content"));
    }
    let counted = "SELECT count(*) FROM memories WHERE agent_id = $1";
    println!("{} memories", agent.query_one(counted, &[&"ada"]).await?.get::<_, i64>(0));
    Ok(())
}

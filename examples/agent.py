"""Remember, recall and query with psycopg 3."""

import psycopg

with psycopg.connect(autocommit=True) as agent:
    agent.execute("SELECT remember(%s, %s)", ("ada", "Grace likes green tea."))
    for content, score in agent.execute(
        "SELECT content, score FROM recall(%s, %s, k => 3)", ("ada", "what does Grace drink?")
    ):
        print(f"{score:.2f} {content}")
    [(count,)] = agent.execute("SELECT count(*) FROM memories WHERE agent_id = %s", ("ada",))
    print(count, "memories")

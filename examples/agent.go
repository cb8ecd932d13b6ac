// Remember, recall and query with lib/pq.
package main

import (
	"database/sql"
	"fmt"
	"log"

	_ "github.com/lib/pq"
)

func main() {
	agent, err := sql.Open("postgres", "sslmode=disable") // the rest is in PGHOST, PGUSER …
	check(err)
	defer agent.Close()
	_, err = agent.Exec("SELECT remember($1, $2)", "ada", "Grace likes green tea.")
	check(err)
	rows, err := agent.Query(
		"SELECT content, score FROM recall($1, $2, k => 3)", "ada", "what does Grace drink?")
	check(err)
	defer rows.Close()
	for rows.Next() {
		var content string
		var score float64
		check(rows.Scan(&content, &score))
		fmt.Printf("%.2f %s\n", score, content)
	}
	var count int
	check(agent.QueryRow("SELECT count(*) FROM memories WHERE agent_id = $1", "ada").Scan(&count))
	fmt.Println(count, "memories")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Remember, recall and query with pgx.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v4"
)

func main() {
	ctx := context.Background()
	agent, err := pgx.Connect(ctx, "") // all is in PGHOST, PGUSER …
	check(err)
	defer agent.Close(ctx)
	_, err = agent.Exec(ctx, "SELECT remember($1, $2)", "ada", "Grace likes green tea.")
	check(err)
	rows, err := agent.Query(ctx,
		"SELECT content, score FROM recall($1, $2, k => 3)", "ada", "what does Grace drink?")
	check(err)
	for rows.Next() {
		var content string
		var score float64
		check(rows.Scan(&content, &score))
		fmt.Printf("%.2f %s\n", score, content)
	}
	check(rows.Err())
	var count int
	counted := "SELECT count(*) FROM memories WHERE agent_id = $1"
	check(agent.QueryRow(ctx, counted, "ada").Scan(&count))
	fmt.Println(count, "memories")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

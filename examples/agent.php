<?php
// Remember, recall and query with PDO.
$agent = new PDO(
    sprintf("pgsql:host=%s;port=%s;dbname=%s", getenv("PGHOST"), getenv("PGPORT"), getenv("PGDATABASE")),
    getenv("PGUSER"),
    getenv("PGPASSWORD"),
);
$agent->prepare("SELECT remember(?, ?)")->execute(["ada", "Grace likes green tea."]);
$found = $agent->prepare("SELECT content, score FROM recall(?, ?, k => 3)");
$found->execute(["ada", "what does Grace drink?"]);
foreach ($found as $row) {
    printf("%.2f %s\n", $row["score"], $row["content"]);
}
$count = $agent->prepare("SELECT count(*) FROM memories WHERE agent_id = ?");
$count->execute(["ada"]);
echo $count->fetchColumn(), " memories\n";

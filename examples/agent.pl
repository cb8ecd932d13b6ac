# Remember, recall and query with DBD::Pg.
use strict;
use warnings;
use DBI;

my $agent = DBI->connect("dbi:Pg:", undef, undef, { RaiseError => 1, AutoCommit => 1 });
$agent->selectrow_array("SELECT remember(?, ?)", undef, "ada", "Grace likes green tea.");
my $found = $agent->selectall_arrayref(
    "SELECT content, score FROM recall(?, ?, k => 3)",
    { Slice => {} }, "ada", "what does Grace drink?"
);
printf "%.2f %s\n", $_->{score}, $_->{content} for @$found;
my ($count) = $agent->selectrow_array(
    "SELECT count(*) FROM memories WHERE agent_id = ?", undef, "ada"
);
print "$count memories\n";
$agent->disconnect;

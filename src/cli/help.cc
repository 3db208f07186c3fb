#include "cli/help.h"

namespace messina::cli {
namespace {

const std::string kExitCodes = R"(
Exit codes
  0  done
  1  done, with rejects or differences
  2  wrong usage, configuration or permission
  3  stopped before the end: run the same command again
  4  a person is needed: state in use, differing schema, table made again,
     changes that were missed (a gap), a target that another migration owns
)";

}  // namespace

Page main_page() {
  return {"messina moves DynamoDB tables to ScyllaDB",
          R"(
Addresses
  dynamodb://REGION/TABLE          DynamoDB; dynamodb:///TABLE takes the region from the environment
  alternator://HOST:PORT/TABLE     ScyllaDB's Alternator; alternators:// with TLS

Examples
  messina check dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
  messina migrate dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
  messina status
  messina set rcu=500
  messina migrate --help
)" + kExitCodes};
}

Page copy_page() {
  return {"Copy a table's items to the target, and never lose the place",
          R"(
What happens
  The source's schema is read and the target's table made, unless it is there. The items
  are read by parallel Scan and written in batches. The place is kept in the state
  directory: stopped or killed, the same command goes on. An item that the target refuses
  goes to the rejects, alone. A finished copy that is run again writes nothing.
  Ctrl-C stops at the next safe point, a second one at once. Where another process runs the
  same migration, it is asked to copy as well, and followed; Ctrl-C leaves it running then.

Credentials
  A DynamoDB side finds them as the AWS CLI does: its flags, the environment, its profile
  (keys, roles, SSO, processes), web identity, the container, the instance. Temporary ones
  are renewed while the job runs. An Alternator side uses its flags alone. Secrets come
  from a variable or a file, never from the command line, where `ps` shows them.

Examples
  messina copy dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
  messina copy dynamodb:///orders alternators://scylla-1:8043/orders --source-profile prod
      --target-access-key alice --target-secret-key-env SCYLLA_SECRET
  messina copy dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --read-rcu 500
      --rename customer_id=customer --drop debug_info
  messina copy --plan orders.yaml --json --listen 127.0.0.1:9464
  messina copy dynamodb://us-east-1 alternator://scylla-1:8000 --tables 'orders*,customers'
      --target-name '{table}_v2' --read-rcu 4000

Many tables
  With --tables, SOURCE and TARGET name a region or a cluster. Each table is a migration of
  its own; one that fails does not stop the others. Run again, the same command skips what
  is done. --read-rcu, --write-concurrency and --memory are limits of all tables together.
  `messina pause`, `resume`, `set` and `status` take the same --tables, or the plan.
  The exit code is the worst of all: 4, then 2, 3, 1 and 0.
)" + kExitCodes};
}

Page migrate_page() {
  return {"Move a table that is being written to: copy it, follow its changes, stay in step",
          R"(
What happens
  The target's table is made, unless it is there. The changes of the source's stream are
  captured into a spool in the state directory; then the items are copied, and the changes
  applied, side by side. When all is copied, it goes on following until it is stopped.
  Every part keeps its place: stopped or killed, the same command goes on. Records of a
  DynamoDB stream live for 24 hours: a migration that stands still for longer has missed
  changes, says so, and heals by --heal.
  Where a `capture`, `apply` or `migrate` of the same source and target runs already, that
  process is asked to do what is missing, and followed; Ctrl-C leaves it running.

Many tables
  With --tables, SOURCE and TARGET name a region or a cluster, as with `copy`. The changes
  of all tables are captured from the start; --parallel-tables are copied at a time. With
  --until in-step the run ends when all are in step at one time.

In step
  The target is in step when all history is copied, every shard of the stream was polled
  within seconds and had nothing left, and no change waits that is older than
  --allowed-lag. `messina status` says so, or what stands against it. With --until in-step
  the command ends then, with 0; with 1 if items were refused by the target. Without it,
  Ctrl-C ends it: with 0 while it follows, with 3 before.

One writer
  The target carries the migration's owner, as tags. Another migration, or a service that
  was left over, stops at once with 4 and writes nothing. --take-over overrides it.

Verified
  With --verify both sides are compared once the target is in step, as `messina verify`
  does, and from then on each key that changes; `messina status` says what was found.

Examples
  messina migrate dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --enable-stream
  messina migrate dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --until in-step
  messina migrate dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --heal
  messina migrate dynamodb://us-east-1 alternator://scylla-1:8000 --tables 'orders*,cust*' --enable-stream
  messina migrate --plan orders.yaml --spool-max 50GB --listen 127.0.0.1:9464
)" + kExitCodes};
}

Page verify_page() {
  return {"Compare two tables, item by item, while they are written to",
          R"(
What happens
  Each item of the source is looked up on the target and compared as DynamoDB compares
  values: 1.0 is 1, sets have no order, NULL is not the same as absent. Then the keys of
  the target are added up and held against the source's; only where the sums differ are
  keys looked up one by one, so that what only the target has is found without reading the
  source again. Nothing is written to either side. The place is kept in the state
  directory: stopped or killed, the same command goes on.

Beside a live migration
  Where a `messina migrate` of the same source and target runs, that process is asked to
  compare, and followed. What disagrees is looked at again when the changes of the time are
  applied: a difference is reported only if the source says the same before and after, the
  target says something else, and no change of that key came in between. Each key that was
  written to meanwhile is judged by itself. What was written to all the time is
  `unsettled`: reported as such, never as equal.

What it costs
  The source is read once; the target is read once by key and, for its keys, once by Scan.
  --read-rcu bounds it; `messina check` says beforehand what a Scan costs.

Examples
  messina verify dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
  messina verify dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --sample 1%
  messina verify dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --report orders.html
  messina verify dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --keys suspects.jsonl
)" + kExitCodes};
}

Page diff_page() {
  return {"Show what `verify` found different",
          R"(
  Grouped by cause, then key by key; with --key one item, both sides beside each other,
  and marks where they differ: ~ differs, - is missing on the target, + only there. The
  items are those that were compared, not those of now. With --json each is one line, with
  both items; --redact-keys leaves hashes of the keys, and no values.

Examples
  messina diff
  messina diff --only extra --limit 100
  messina diff --key '{"id":{"S":"order-17"}}'
  messina diff --json --redact-keys > differences.jsonl
)" + kExitCodes};
}

Page repair_page() {
  return {"Make equal what `verify` found different, and verify it again",
          R"(
  Each key that differs is marked to be read from the source again, and written as it is
  then, in turn with all other changes: a newer write is never overtaken. What only the
  target has stays, unless --delete-extra: then it is deleted, as far as the source says
  that it is absent. Where a `messina migrate` runs, that process does it. At last the same
  keys are compared again.

Examples
  messina repair dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --dry-run
  messina repair dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
  messina repair dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --delete-extra
)" + kExitCodes};
}

Page capture_page() {
  return {"Keep the changes of a source's stream in the spool, and no more",
          R"(
  The first half of `messina migrate`, by itself, until it is stopped: records wait in the
  state directory until a `migrate`, or `copy` and then `apply`, of the same source and target
  goes on from there. What is copied after a capture has begun misses nothing. Those may
  also be started while it runs: they ask it to do their part as well, and follow it.

Examples
  messina capture dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --enable-stream
)" + kExitCodes};
}

Page apply_page() {
  return {"Bring the target up to the changes that wait in the spool",
          R"(
  The other half: what `messina capture` has kept is written to the target, the newest
  state of each key, until it is stopped. Where a `capture` of the same source and target
  runs, that process is asked to apply as well, and followed; Ctrl-C leaves it running.
  While no history was begun it waits, since history brings what changed until then; with
  --into-existing it does not wait, for a target that was filled in another way.

Examples
  messina apply dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
)" + kExitCodes};
}

Page copy_unit_page() {
  return {"Run one unit of a copy, from its JSON line alone",
          R"(
  The line holds no secrets: variables and files that it names must be there too. The
  target's table must exist. Each unit keeps its place in a folder of its own.

Examples
  messina copy dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --print-units
      --into-existing > units.jsonl
  head -1 units.jsonl | messina copy-unit
)" + kExitCodes};
}

Page schema_page() {
  return {"Make the target's table, or print what would be made",
          R"(
  Keys, indexes, billing mode and tags are taken over. TTL is not switched on: only one
  side may expire items. What the target cannot have is named.

Examples
  messina schema dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
  messina schema dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --print
)" + kExitCodes};
}

Page check_page() {
  return {"Try everything that a copy needs, and say what it will cost; changes nothing",
          R"(
What happens
  Every permission, address and setting is tried by a real call: that one may write by a
  write that is certain to be refused. Each finding is `ok`, `note` or `stop`; notes and
  stops come with a way out. The exit code is 2 when there is a stop. It takes the flags of
  a copy: put `check` in the place of `copy`.

  It says what will not survive the move, how long the copy takes, what it costs in RCU
  and dollars, and what is made on the target. Prices are of one day: see docs/use/cost.md.

  With --tables, or a plan that lists tables, what holds for all of them is said once,
  then what holds for each, then time and cost of all together.

Examples
  messina check dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
  messina check --plan orders.yaml --read-rcu 500 --throughput 20MB
  messina check dynamodb://us-east-1 alternator://scylla-1:8000 --tables 'orders*'
  messina check --plan orders.yaml --json | jq -r 'select(.level == "stop") | .text'
)" + kExitCodes};
}

Page policy_page() {
  return {"Print the least IAM policy that a plan needs, as JSON",
          R"(
  One statement a job and resource, for the sides that are DynamoDB. The account's number is
  asked of STS, or given by --account; without either a `*` stands in its place.
  A live migration needs --for schema,copy,capture. `verify` and `export`, which this version
  does not have yet, can be printed ahead.
  Give the pace of the copy, too: with --read-rcu CloudWatch is not needed.
  Of many tables one policy is printed; where it would be over IAM's 6,144 characters,
  several, one after the other: stderr says so.

Examples
  messina policy dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
  messina policy dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
      --account 123456789012 --for copy,check,capture
  messina policy dynamodb://us-east-1 alternator://scylla-1:8000 --tables 'orders*'
)" + kExitCodes};
}

Page status_page() {
  return {"Show how migrations stand, beside a running one or afterwards",
          R"(
  Without addresses: all migrations of the state directory; with --tables, or a plan of many
  tables, those. A running job is asked itself, else the ledger has its last snapshot.

For cron: status --check
  One line a migration that says why, and the exit status of the gravest:
  0  done, or running and well (a paused job is well)
  1  done, with rejects
  3  not done and not running, nothing was settled for --stalled-after, or changes are about
     to be missed: the spool is full, or unread records are trimmed within 2 hours
  4  a person is needed: changes were missed, the last run ended so, or the ledger cannot be
     used

Examples
  messina status
  messina status dynamodb://us-east-1/orders alternator://scylla-1:8000/orders --json
  messina status --plan tables.yaml
  messina status --check --stalled-after 20m
)" + kExitCodes};
}

Page pause_page() {
  return {"Pause a running job, until `messina resume`",
          R"(
  What is on the wire is finished and recorded; then no item is read and none written.
  Changes are captured on into the spool, so that none is missed. The process stays, and
  so does its lock. A pause is the running process's: a new start copies on.
  `messina status` shows who paused it and when.
  Without addresses: the only job that runs.

  Of many tables: SOURCE TARGET pauses one, which keeps its turn; --tables or --plan pauses
  those that run and those to come. Of several hands on a table, the last one counts.

Examples
  messina pause
  messina pause dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
  messina pause dynamodb://us-east-1 alternator://scylla-1:8000 --tables 'orders*,customers'
)" + kExitCodes};
}

Page resume_page() {
  return {"Let a paused job go on",
          R"(
  Without addresses: the only job that runs. Of many tables, as with `messina pause`.

Examples
  messina resume
  messina resume --plan tables.yaml
  messina resume --migration orders-to-orders-0123456789ab
)" + kExitCodes};
}

Page set_page() {
  return {"Change the speed of a running job",
          R"(
Settings
  rcu=RATE        read at most so many RCU a second, as --read-rcu
  concurrency=N   requests to the target at once, as --write-concurrency; of the copy alone
  rcu=auto, concurrency=auto   back to what the job was started with

  They hold for the running process only: a new start takes its own flags.
  `messina status` shows who set what and when. Without addresses: the only job that runs.

  Of many tables: --tables or --plan (all of them, as at the start) sets what they take
  together, as --read-rcu and --write-concurrency do. SOURCE TARGET sets a limit of that
  table's own, below the one of all together, which stays.

Examples
  messina set rcu=8000 concurrency=64
  messina set rcu=auto
  messina set rcu=500 dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
  messina set rcu=2000 --plan tables.yaml
)" + kExitCodes};
}

Page rejects_page() {
  return {"What the target refused: list, export or retry",
          R"(
Examples
  messina rejects list
  messina rejects export > rejects.jsonl
  messina rejects retry dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
)" + kExitCodes};
}

Page rejects_list_page() {
  return {"List the rejects with their reasons, without their items",
          R"(
  Without addresses: those of all migrations in the state directory.

Examples
  messina rejects list
  messina rejects list --migration orders-to-orders-0123456789ab --all
)" + kExitCodes};
}

Page rejects_export_page() {
  return {"Write the rejects as JSON lines, with their items as they were read",
          R"(
Examples
  messina rejects export > rejects.jsonl
  messina rejects export | jq -c .item
)" + kExitCodes};
}

Page rejects_retry_page() {
  return {"Send the rejects of a finished copy once more, or have them read again",
          R"(
  Each item is sent as it was read from the source: what the source holds now is not
  looked at. Of a live migration (`messina migrate`), where that could be older than what is
  on the target, nothing is sent: the keys are marked to be read from the source again, which
  the running process does, or the next one. Without addresses: those of the only migration,
  with the copy's settings. With addresses, give the same renames and drops as for the copy.

Examples
  messina rejects retry
  messina rejects retry dynamodb://us-east-1/orders alternator://scylla-1:8000/orders
)" + kExitCodes};
}

Page selftest_page() {
  return {"Try a server on a temporary table: does it do what messina relies on?",
          R"(
  Makes the table messina_selftest_… , writes about 4 MB, reads it five times, tries what
  should be refused, and deletes the table again, whatever happened. No other table is
  touched. On AWS it costs a few cents and needs --allow-write-aws.

Examples
  messina selftest alternator://scylla-1:8000
  messina selftest alternators://scylla-1:8043 --target-access-key alice
      --target-secret-key-env SCYLLA_SECRET
  messina selftest dynamodb://us-east-1 --allow-write-aws

Exit codes
  0  all that was tried holds
  1  something does not: see the lines that say FAIL
  2  wrong usage, configuration or permission
  3  stopped before the end
)"};
}

Page version_page() { return {"Print the version", ""}; }

}  // namespace messina::cli

#include "plan/plan_file.h"

#include <gtest/gtest.h>

namespace messina::plan {
namespace {

std::optional<std::string> test_environment(std::string_view name) {
  if (name == "SECRET") return "s3c:ret";
  return std::nullopt;
}

Result<Draft> parse(std::string_view yaml) { return parse_plan_file(yaml, "p.yaml", test_environment); }

std::string refusal(std::string_view yaml) {
  const auto draft = parse(yaml);
  return draft ? "accepted" : draft.error().message;
}

TEST(PlanFile, ReadsItsOwnFormat) {
  const auto draft = parse(R"(version: 1
source:
  uri: dynamodb://us-east-1/orders
  profile: prod
target:
  uri: alternators://scylla:8043/orders
  ca-file: ca.pem
  datacenter: dc1
  access-key: alice
  secret-key-env: SCYLLA_SECRET
renames:
  - {from: a, to: b}
drop: [c, "d e"]
segments: 64
skip-segments: [3, 5]
read-rcu: 1000.5
write-share: 30%
eventually-consistent: true
write-concurrency: 32
memory: 512MiB
clock-error: 2s
dead-after: 1m
schema: check
state: /var/lib/messina
)");
  ASSERT_TRUE(draft) << draft.error().message;
  EXPECT_EQ(draft->source.address->table, "orders");
  EXPECT_EQ(draft->source.credentials.profile, "prod");
  EXPECT_EQ(draft->target.address->host, "scylla");
  EXPECT_TRUE(draft->target.address->tls);
  EXPECT_EQ(draft->target.credentials.secret_key_env, "SCYLLA_SECRET");
  EXPECT_EQ(draft->renames->at("a"), "b");
  EXPECT_TRUE(draft->drops->contains("d e"));
  EXPECT_EQ(draft->segments, 64u);
  EXPECT_EQ(draft->skip_segments, (std::set<std::uint32_t>{3, 5}));
  EXPECT_EQ(draft->read_rcu_per_s, 1000.5);
  EXPECT_EQ(draft->write_share, 0.3);
  EXPECT_EQ(draft->eventually_consistent, true);
  EXPECT_EQ(draft->memory_bytes, 512u << 20);
  EXPECT_EQ(draft->clock_error, std::chrono::milliseconds(2000));
  EXPECT_EQ(draft->dead_after, std::chrono::milliseconds(60'000));
  EXPECT_EQ(draft->schema, SchemaMode::check);
  EXPECT_EQ(draft->state_dir, "/var/lib/messina");
  EXPECT_TRUE(draft->notices.empty());
}

TEST(PlanFile, ReadsScyllaMigratorsFiles) {
  const auto draft = parse(R"(source:
  type: dynamodb
  table: orders
  region: eu-west-1
  credentials:
    accessKey: AK
    secretKey: ${SECRET}
  scanSegments: 16
  readThroughput: 500
  throughputReadPercent: 0.5
  maxMapTasks: 4
target:
  type: alternator
  table: orders2
  endpoint:
    host: http://scylla
    port: 8000
  maxItemsPerBatch: 50
  streamChanges: false
renames: []
savepoints:
  path: /app/savepoints
  intervalSeconds: 300
skipSegments: [1]
)");
  ASSERT_TRUE(draft) << draft.error().message;
  EXPECT_EQ(draft->source.address->region, "eu-west-1");
  EXPECT_EQ(draft->source.credentials.secret_key->reveal(), "s3c:ret");
  EXPECT_EQ(draft->segments, 16u);
  EXPECT_EQ(draft->read_rcu_per_s, 250);  // half of 500
  EXPECT_FALSE(draft->read_share);
  EXPECT_EQ(draft->target.address->host, "scylla");
  EXPECT_EQ(draft->target.address->port, 8000);
  EXPECT_EQ(draft->target.max_batch_items, 50u);
  EXPECT_EQ(draft->state_dir, "/app/savepoints");
  EXPECT_EQ(draft->skip_segments, (std::set<std::uint32_t>{1}));
  ASSERT_EQ(draft->notices.size(), 2u);
  EXPECT_EQ(draft->notices[0], "p.yaml:11: key \"source.maxMapTasks\" is Spark's and not used: see --loops");
}

TEST(PlanFile, GivesEndpointHostsTheirScheme) {
  const auto endpoint = [](std::string host) {
    return parse("source: {type: dynamodb, table: orders, endpoint: {host: " + host + ", port: 8000}}")
        .value()
        .source.address->endpoint_url;
  };
  EXPECT_EQ(endpoint("localhost"), "http://localhost:8000");
  EXPECT_EQ(endpoint("https://localhost"), "https://localhost:8000");
  EXPECT_EQ(endpoint("dynamodb.eu-west-1.amazonaws.com"), "https://dynamodb.eu-west-1.amazonaws.com:8000");
}

TEST(PlanFile, NamesFileLineAndKey) {
  EXPECT_EQ(refusal("version: 1\nsegmnets: 4\n"),
            "p.yaml:2: unknown key \"segmnets\", did you mean \"segments\"?");
  EXPECT_EQ(refusal("version: 1\n\nsegments: many\n"),
            "p.yaml:3: key \"segments\": \"many\" is not a whole number from 1 to 1000000");
  EXPECT_EQ(refusal("source:\n  type: dynamodb\n  tabel: x\n"),
            "p.yaml:3: unknown key \"source.tabel\", did you mean \"table\"?");
  EXPECT_EQ(
      refusal("version: 2\n"),
      "p.yaml:1: key \"version\": this plan has version 2, and this messina knows version 1: update messina");
  EXPECT_EQ(refusal("segments: 4\nsegments: 5\n"), "p.yaml:2: key \"segments\" stands here twice");
  EXPECT_EQ(refusal("segments: [1]\n"), "p.yaml:1: key \"segments\": this must be a single value");
  EXPECT_EQ(refusal("version: 1\nsegments:\n"), "p.yaml:2: key \"segments\": the value is missing");
  EXPECT_EQ(refusal("drop: x\n"), "p.yaml:1: key \"drop\": this must be a list");
  EXPECT_EQ(refusal("drop:\n  - {a: b}\n"), "p.yaml:2: key \"drop[0]\": this must be a single value");
  EXPECT_EQ(refusal("- a\n"), "p.yaml:1: this must be a mapping of keys to values");
  EXPECT_EQ(refusal(""), "p.yaml:1: the plan is empty");
  EXPECT_EQ(refusal("a: b: c\n").substr(0, 27), "p.yaml:1: this is not YAML:");
  EXPECT_EQ(refusal("version: 1\ndrop: [\xff]\n"), "p.yaml:2: \"\\xff\" is not valid UTF-8");
  EXPECT_EQ(refusal("drop: [\"a\\0b\"]\n"),
            "p.yaml:1: key \"drop[0]\": the attribute name \"a\\x00b\" cannot be: it holds a NUL byte");
  EXPECT_EQ(refusal("state: ${NOPE}\n"),
            "p.yaml:1: key \"state\": the environment variable \"NOPE\" is not set");
  EXPECT_EQ(refusal("state: ${NOPE\n").substr(0, 41), "p.yaml:1: key \"state\": \"${\" without \"}\" (");
  EXPECT_EQ(refusal("restart: true\n"),
            "p.yaml:1: key \"restart\": this is a flag only: it is said anew each time");
  EXPECT_EQ(refusal("renames:\n - {from: a}\n"),
            "p.yaml:2: key \"renames[0]\": a rename has the keys \"from\" and \"to\"");
}

TEST(PlanFile, SaysWhatThisVersionDoesNotDo) {
  EXPECT_EQ(refusal("source: {type: cassandra, host: x}\n"),
            "p.yaml:1: key \"source.type\": cassandra is not done by this version yet: only dynamodb and "
            "alternator are");
  EXPECT_EQ(
      refusal("source: {type: mysql, hots: x}\n"),
      "p.yaml:1: key \"source.type\": mysql is not a source of messina: only dynamodb and alternator are");
  EXPECT_NE(refusal("skipTokenRanges: [[1, 2]]\n").find("CQL"), std::string::npos);
  EXPECT_EQ(refusal("skipTokenRanges: []\n"), "accepted");
  EXPECT_NE(refusal("target: {type: alternator, table: abc}\n").find("needs \"endpoint\""),
            std::string::npos);
}

TEST(PlanFile, SaysHowChangesAreFollowed) {
  const auto draft = parse(
      "enable-stream: KEYS_ONLY\nskip-expired: true\nstream-retention: 12h\nspool-max: 2GiB\nallowed-lag: "
      "5s\n");
  ASSERT_TRUE(draft) << draft.error().message;
  EXPECT_EQ(draft->enable_stream, item::StreamView::keys_only);
  EXPECT_EQ(draft->skip_expired, true);
  EXPECT_EQ(draft->stream_retention, std::chrono::hours(12));
  EXPECT_EQ(draft->spool_max_bytes, 2u << 30);
  EXPECT_EQ(draft->allowed_lag, std::chrono::seconds(5));
  EXPECT_EQ(parse("enable-stream: true\n")->enable_stream, item::StreamView::new_image);
  EXPECT_FALSE(parse("enable-stream: false\n")->enable_stream);
  EXPECT_EQ(
      refusal("enable-stream: ALL\n"),
      "p.yaml:1: key \"enable-stream\": \"ALL\" is not one of NEW_IMAGE, NEW_AND_OLD_IMAGES, OLD_IMAGE and "
      "KEYS_ONLY");
  EXPECT_NE(refusal("heal: true\n").find("a flag only"), std::string::npos);
}

TEST(PlanFile, TakesMigratorsWishToFollow) {
  const auto draft =
      parse("target: {type: alternator, table: abc, endpoint: {host: h}, streamChanges: true}\n");
  ASSERT_TRUE(draft) << draft.error().message;
  EXPECT_EQ(draft->stream_changes, true);
  EXPECT_EQ(draft->enable_stream, item::StreamView::new_image) << "Migrator switches the stream on itself";
}

TEST(PlanFile, TakesMigratorsBudgetsAndRoles) {
  const auto draft = parse(R"(source:
  type: dynamo
  table: orders
  credentials:
    accessKey: AK
    secretKey: SK
    assumeRole: {arn: "arn:aws:iam::1:role/r", sessionName: move}
  throughputReadPercent: 1.5
target:
  type: dynamodb
  table: orders
  throughputWritePercent: 0.1
  billingMode: PAY_PER_REQUEST
  streamChanges: false
  skipInitialSnapshotTransfer: no
validation: {compareTimestamps: true, failuresToFetch: 100}
)");
  ASSERT_TRUE(draft) << draft.error().message;
  EXPECT_EQ(draft->source.credentials.role_arn, "arn:aws:iam::1:role/r");
  EXPECT_EQ(draft->source.credentials.role_session_name, "move");
  EXPECT_EQ(draft->read_share, 1);  // more than the whole is the whole
  EXPECT_FALSE(draft->write_wcu_per_s);
  EXPECT_EQ(parse("target: {type: dynamodb, writeThroughput: 100}\n")->write_wcu_per_s, 100);
  EXPECT_EQ(draft->write_share, 0.1);
  ASSERT_EQ(draft->notices.size(), 2u);
  EXPECT_EQ(draft->notices[1],
            "p.yaml:16: key \"validation\" is not used: `messina verify` compares values, exactly, and keeps "
            "all that differ");
  EXPECT_EQ(
      refusal("source: {throughputReadPercent: 2}\n"),
      "p.yaml:1: key \"source.throughputReadPercent\": 2 is not from 0.1 to 1.5 (1 is the table's whole "
      "capacity)");
  EXPECT_EQ(refusal("source: {credentials: {assumeRole: {sessionName: a}}}\n"),
            "p.yaml:1: key \"source.credentials.assumeRole\": \"arn\" is missing");
  EXPECT_EQ(refusal("validation: {compareTimestmaps: true}\n"),
            "p.yaml:1: unknown key \"validation.compareTimestmaps\", did you mean \"compareTimestamps\"?");
  EXPECT_NE(refusal("savepoints: {target: {type: s3, bucket: b}}\n").find("only filesystem"),
            std::string::npos);
  EXPECT_EQ(parse("savepoints: {target: {type: filesystem, path: /s}}\n")->state_dir, "/s");
}

TEST(PlanFile, ReadsSavepointFiles) {
  const auto draft = parse(R"(source:
  type: dynamodb
  endpoint: null
  region: eu-west-1
  credentials: null
  table: orders
  scanSegments: 4
  readThroughput: null
  throughputReadPercent: null
  maxMapTasks: null
  removeConsumedCapacity: null
  alternator: null
target:
  type: dynamodb
  endpoint: {host: http://scylla, port: 8000}
  region: null
  credentials: null
  table: orders
  writeThroughput: null
  throughputWritePercent: null
  streamChanges: false
  skipInitialSnapshotTransfer: null
  billingMode: null
  alternator: {datacenter: dc1, rack: null, maxItemsPerBatch: 50}
renames: null
savepoints:
  intervalSeconds: 300
  path: /app/savepoints
  enableParquetFileTracking: true
skipTokenRanges: null
skipSegments:
- 0
- 3
skipParquetFiles: null
validation: null
)");
  ASSERT_TRUE(draft) << draft.error().message;
  EXPECT_EQ(draft->segments, 4u);
  EXPECT_EQ(draft->skip_segments, (std::set<std::uint32_t>{0, 3}));
  EXPECT_EQ(draft->target.address->kind, EndpointKind::alternator);
  EXPECT_EQ(draft->target.datacenter, "dc1");
  EXPECT_EQ(draft->target.max_batch_items, 50u);
  EXPECT_FALSE(draft->renames);
  EXPECT_NE(
      refusal("source: {credentials: {accessKey: a, secretKey: <redacted>}}\n").find("hides the secret"),
      std::string::npos);
}

TEST(PlanFile, ReadsManyTables) {
  const auto draft = parse(R"(source: dynamodb://us-east-1
target: {type: alternator, endpoint: {host: h, port: 8000}}
tables:
  - orders
  - log*
  - table: users
    target: people
    renames: [{from: a, to: b}]
    segments: 2
exclude: ["*_test"]
target-name: "{table}_v2"
order: given
parallel-tables: 8
)");
  ASSERT_TRUE(draft) << draft.error().message;
  ASSERT_EQ(draft->tables->size(), 3u);
  EXPECT_EQ(draft->tables->at(1).table, "log*");
  EXPECT_EQ(draft->tables->at(2).from, "p.yaml:6");
  EXPECT_EQ(draft->tables->at(2).target, "people");
  EXPECT_EQ(draft->tables->at(2).renames->at("a"), "b");
  EXPECT_EQ(draft->order, TableOrder::given);
  EXPECT_EQ(draft->parallel_tables, 8u);
  EXPECT_EQ(refusal("tables: []\n"), "p.yaml:1: key \"tables\": the list is empty: name at least one table");
  EXPECT_EQ(refusal("tables: [{target: x}]\n"), "p.yaml:1: key \"tables[0]\": \"table\" is missing");
  EXPECT_NE(refusal("tables: [a/b]\n").find("is no table's name"), std::string::npos);
  EXPECT_NE(refusal("target-name: copy\n").find("lacks {table}"), std::string::npos);
}

TEST(PlanFile, SubstitutesAndEscapes) {
  EXPECT_EQ(parse("state: a${SECRET}b$${X}\n").value().state_dir, "as3c:retb${X}");
}

TEST(PlanFile, NeverShowsSecrets) {
  const std::string message =
      refusal("source: {type: dynamodb, table: abc, credentials: {accessKey: a, secretKey: [hunter2]}}");
  EXPECT_NE(message, "accepted");
  EXPECT_EQ(message.find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace messina::plan

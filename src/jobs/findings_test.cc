#include "jobs/findings.h"

#include <algorithm>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using Level = Finding::Level;
using std::chrono::milliseconds;

endpoints::ServerSeen healthy(std::string host, milliseconds ahead = milliseconds(0)) {
  return {std::move(host), true, "Server", ahead, milliseconds(2)};
}

endpoints::TableSeen plain_table() {
  endpoints::TableSeen seen;
  seen.table.name.value = "orders";
  seen.table.id = "id-1";
  seen.table.arn = "arn:aws:dynamodb:us-east-1:123456789012:table/orders";
  seen.table.status_text = "ACTIVE";
  seen.table.key.partition = {"id", item::Type::S};
  seen.table.item_count = 10;
  seen.table.size_bytes = 1'000;
  seen.table.stream_view_type = "NEW_AND_OLD_IMAGES";
  seen.details.stream_arn = seen.table.arn + "/stream/1";
  return seen;
}

/// A table that moves without a hitch, and a target that lacks it.
CheckFacts smooth() {
  CheckFacts facts;
  SideFacts& source = facts.source;
  source.display = R"(table "orders" (dynamodb, us-east-1))";
  source.table_name = "orders";
  source.region = "us-east-1";
  source.tls = source.with_credentials = source.real_aws = true;
  source.server = healthy("dynamodb.us-east-1.amazonaws.com");
  source.caller = endpoints::Caller{"123456789012", "arn:aws:iam::123456789012:user/mover"};
  source.described = plain_table();
  source.time_to_live = std::optional<std::string>();
  source.tags = std::map<std::string, std::string>();
  source.scan_one = true;
  source.get_absent = Result<void>();
  source.recovery = true;
  source.kinesis = std::vector<std::string>();
  source.resource_policy = false;
  source.quotas = endpoints::Quotas{80'000, 80'000, 40'000, 40'000};
  source.streams = std::vector<std::string>{"arn"};
  source.stream = endpoints::StreamSeen{"arn", "ENABLED", "NEW_AND_OLD_IMAGES", "shard-1"};
  source.shard_iterator = std::string("iterator");
  source.records = std::size_t(0);
  SideFacts& target = facts.target;
  target.display = R"(table "orders" (alternator, scylla-1:8000))";
  target.table_name = "orders";
  target.alternator = true;
  target.server = healthy("scylla-1:8000");
  target.nodes = std::vector<endpoints::NodeSeen>{{"10.0.0.1:8000", healthy("10.0.0.1:8000")}};
  target.version = std::string("2026.1.0");
  target.described = fail(ErrorKind::not_found, "no such table");
  facts.machine.state_dir = "messina-state";
  facts.machine.free_bytes = std::uint64_t(1) << 40;
  facts.machine.open_files = 65'536;
  facts.machine.files_needed = 600;
  return facts;
}

/// The same with a table on the target that fits.
CheckFacts with_target() {
  CheckFacts facts = smooth();
  endpoints::TableSeen seen = plain_table();
  seen.table.id = "id-2";
  seen.table.stream_view_type.reset();
  facts.target.described = seen;
  facts.target.time_to_live = std::optional<std::string>();
  facts.target.tags = std::map<std::string, std::string>{{"system:write_isolation", "only_rmw_uses_lwt"}};
  facts.target.scan_one = false;
  facts.target.refused_write = Result<void>();
  return facts;
}

const Finding* find(const std::vector<Finding>& findings, std::string_view side, std::string_view id) {
  const auto found = std::ranges::find_if(
      findings, [&](const Finding& finding) { return finding.side == side && finding.id == id; });
  return found == findings.end() ? nullptr : &*found;
}

/// The finding's level, or "none".
std::string level(const CheckFacts& facts, std::string_view side, std::string_view id) {
  const auto findings = judge(facts);
  const Finding* finding = find(findings, side, id);
  return finding == nullptr ? "none" : std::string(to_string(finding->level));
}

std::size_t stops(const CheckFacts& facts) {
  return static_cast<std::size_t>(std::ranges::count(judge(facts), Level::stop, &Finding::level));
}

Error denied(std::string action) {
  return {ErrorKind::denied, action + " was refused", "AccessDeniedException"};
}

TEST(Findings, ASmoothMoveHasNoStop) {
  EXPECT_EQ(stops(smooth()), 0u);
  EXPECT_EQ(stops(with_target()), 0u);
  EXPECT_EQ(level(smooth(), "target", "table"), "ok");
  EXPECT_EQ(level(with_target(), "target", "schema"), "ok");
}

TEST(Findings, EveryNoteAndStopHasAWayOut) {
  CheckFacts worst = with_target();
  worst.source.described = [] {
    auto seen = plain_table();
    seen.table.on_demand = false;
    seen.table.key.sort = item::KeyAttribute{"at", item::Type::N};
    seen.details = {"arn:aws:kms:k", true, "STANDARD_INFREQUENT_ACCESS", {"eu-west-1"}, "arn"};
    seen.table.most_reads = 5;
    endpoints::Index index;
    index.name = "by_year";
    index.projection = "KEYS_ONLY";
    seen.table.indexes.push_back(index);
    return seen;
  }();
  worst.source.key = fail(denied("kms:DescribeKey"));
  worst.source.time_to_live = std::optional<std::string>("expires");
  worst.source.kinesis = std::vector<std::string>{"arn:kinesis"};
  worst.source.resource_policy = true;
  worst.source.insecure_tls = true;
  worst.target.nodes = fail(ErrorKind::config, "HTTP 404");
  worst.target.version = fail(denied("Scan"));
  worst.target.scan_one = true;
  worst.target.with_credentials = true;
  worst.machine.free_bytes = 1;
  worst.machine.open_files = 10;
  worst.machine.state_error = "no";
  const auto findings = judge(worst);
  EXPECT_GT(findings.size(), 30u);
  for (const Finding& finding : findings) {
    EXPECT_FALSE(finding.text.empty()) << finding.id;
    EXPECT_EQ(finding.fix.empty(), finding.level == Level::ok) << finding.side << " " << finding.id;
    for (const Finding& other : findings)
      EXPECT_FALSE(&other != &finding && other.side == finding.side && other.id == finding.id) << other.id;
  }
}

TEST(Findings, EachDeniedCallIsAFinding) {
  const auto check = [](const char* side, const char* id, const char* wanted, auto&& deny) {
    CheckFacts facts = std::string_view(side) == "target" ? with_target() : smooth();
    deny(facts);
    EXPECT_EQ(level(facts, side, id), wanted) << id;
    const auto findings = judge(facts);
    EXPECT_THAT(find(findings, side, id)->text, HasSubstr("was refused"));
  };
  const auto no = fail(denied("it"));
  check("source", "describe", "stop", [&](CheckFacts& f) { f.source.described = no; });
  check("source", "scan", "stop", [&](CheckFacts& f) { f.source.scan_one = no; });
  check("source", "batch_get", "note", [&](CheckFacts& f) { f.source.get_absent = no; });
  check("source", "ttl_call", "note", [&](CheckFacts& f) { f.source.time_to_live = no; });
  check("source", "tags", "note", [&](CheckFacts& f) { f.source.tags = no; });
  check("source", "recovery_call", "note", [&](CheckFacts& f) { f.source.recovery = no; });
  check("source", "kinesis", "note", [&](CheckFacts& f) { f.source.kinesis = no; });
  check("source", "resource_policy", "note", [&](CheckFacts& f) { f.source.resource_policy = no; });
  check("source", "quotas_call", "note", [&](CheckFacts& f) { f.source.quotas = no; });
  check("source", "list_streams", "note", [&](CheckFacts& f) { f.source.streams = no; });
  check("source", "describe_stream", "note", [&](CheckFacts& f) { f.source.stream = no; });
  check("source", "shard_iterator", "note", [&](CheckFacts& f) { f.source.shard_iterator = no; });
  check("source", "records", "note", [&](CheckFacts& f) { f.source.records = no; });
  check("source", "caller", "note", [&](CheckFacts& f) { f.source.caller = no; });
  check("source", "key_call", "note", [&](CheckFacts& f) { f.source.key = no; });
  check("target", "describe", "stop", [&](CheckFacts& f) { f.target.described = no; });
  check("target", "scan", "stop", [&](CheckFacts& f) { f.target.scan_one = no; });
  check("target", "write", "stop", [&](CheckFacts& f) { f.target.refused_write = no; });
  check("target", "tags", "note", [&](CheckFacts& f) { f.target.tags = no; });
  CheckFacts missing = smooth();
  missing.target.refused_create = no;
  EXPECT_EQ(level(missing, "target", "create"), "stop");
}

TEST(Findings, NamesIamActionsOnTheSideThatHasThem) {
  CheckFacts facts = with_target();
  facts.target.scan_one = fail(denied("Scan"));
  const auto findings = judge(facts);
  EXPECT_EQ(find(findings, "source", "scan")->call, "dynamodb:Scan");
  EXPECT_EQ(find(findings, "target", "scan")->call, "Scan");
  EXPECT_THAT(find(findings, "target", "scan")->fix, HasSubstr("GRANT"));
}

TEST(Findings, ATargetWithItemsStopsUnlessItIsMeant) {
  CheckFacts facts = with_target();
  facts.target.scan_one = true;
  EXPECT_EQ(level(facts, "target", "empty"), "stop");
  facts.machine.copy_begun = true;
  EXPECT_EQ(level(facts, "target", "empty"), "ok");
  facts.machine.copy_begun = false;
  facts.into_existing = true;
  EXPECT_EQ(level(facts, "target", "empty"), "ok");
}

TEST(Findings, OtherKeysStop) {
  CheckFacts facts = with_target();
  auto seen = **facts.target.described;
  seen.table.key.partition.type = item::Type::N;
  facts.target.described = seen;
  EXPECT_EQ(level(facts, "target", "schema_stop_1"), "stop");
}

TEST(Findings, TheSameTableTwiceStops) {
  CheckFacts facts = with_target();
  facts.target.described = plain_table();
  EXPECT_EQ(level(facts, "target", "same_table"), "stop");
  facts = smooth();
  facts.same_address = true;
  EXPECT_EQ(level(facts, "target", "same_address"), "stop");
}

TEST(Findings, WritingToAwsNeedsLeave) {
  CheckFacts facts = with_target();
  facts.target.alternator = false;
  facts.target.real_aws = true;
  EXPECT_EQ(level(facts, "target", "write_aws"), "stop");
  facts.allow_write_aws = true;
  EXPECT_EQ(level(facts, "target", "write_aws"), "none");
}

TEST(Findings, ClocksOfNodesAreHeldToTheClockError) {
  CheckFacts facts = smooth();
  const auto with_clocks = [&](milliseconds apart) {
    facts.target.nodes = std::vector<endpoints::NodeSeen>{{"a", healthy("a", milliseconds(-300))},
                                                          {"b", healthy("b", apart - milliseconds(300))}};
  };
  // Half a second of each Date header, and the milliseconds on the way, cannot be seen.
  with_clocks(milliseconds(2'002));
  EXPECT_EQ(level(facts, "target", "clock_nodes"), "ok");
  with_clocks(milliseconds(2'003));
  EXPECT_EQ(level(facts, "target", "clock_nodes"), "stop");
  facts.clock_error = milliseconds(5'000);
  EXPECT_EQ(level(facts, "target", "clock_nodes"), "ok");
}

TEST(Findings, ThisMachinesClockIsComparedToo) {
  CheckFacts facts = smooth();
  facts.source.server = healthy("x", milliseconds(-61'000));
  EXPECT_EQ(level(facts, "source", "clock"), "note");
}

TEST(Findings, SickNodesAreNamed) {
  CheckFacts facts = smooth();
  facts.target.nodes = std::vector<endpoints::NodeSeen>{
      {"a", healthy("a")}, {"b", fail(ErrorKind::transient, "connection refused")}};
  const auto findings = judge(facts);
  EXPECT_EQ(find(findings, "target", "nodes")->level, Level::note);
  EXPECT_THAT(find(findings, "target", "nodes")->text, HasSubstr("b (connection refused)"));
}

TEST(Findings, OnlyWhatTheTableHasIsLost) {
  std::vector<std::string> lost;
  for (const Finding& finding : judge(smooth()))
    if (finding.side == "move") lost.push_back(finding.id);
  // The stream and the recovery that smooth() has, and what cannot be seen.
  EXPECT_THAT(lost, testing::ElementsAre("recovery", "stream", "unseen"));
}

TEST(Findings, WhatTheTableHasIsNamed) {
  CheckFacts facts = smooth();
  endpoints::TableSeen seen = plain_table();
  seen.table.key.partition.type = item::Type::N;
  seen.table.on_demand = false;
  seen.details.deletion_protection = true;
  seen.details.replica_regions = {"eu-west-1"};
  seen.details.encryption_key_arn = "arn:aws:kms:k";
  facts.source.described = seen;
  for (const char* id : {"number_key id", "capacity", "deletion_protection", "replicas", "encryption"})
    EXPECT_EQ(level(facts, "move", id), "note") << id;
}

TEST(Findings, ScyllasNumberKeysCollapseWhenTheyAreRead) {
  CheckFacts facts = smooth();
  endpoints::TableSeen seen = plain_table();
  seen.table.key.partition.type = item::Type::N;
  facts.source.described = seen;
  for (const bool to_scylla : {true, false}) {
    facts.source.alternator = true;
    facts.target.alternator = to_scylla;
    const auto findings = judge(facts);
    ASSERT_NE(find(findings, "move", "number_key id"), nullptr);
    EXPECT_EQ(find(findings, "move", "number_key id")->level, Level::note);
    EXPECT_THAT(find(findings, "move", "number_key id")->text, HasSubstr("only one arrives"));
  }
  facts.source.alternator = false;
  EXPECT_EQ(level(facts, "move", "number_key id"), "none") << "DynamoDB has one item a number";
}

TEST(Findings, LongIndexNamesStop) {
  CheckFacts facts = smooth();
  endpoints::TableSeen seen = plain_table();
  endpoints::Index index;
  index.name = std::string(222 - 1 - facts.target.table_name.size(), 'i');
  seen.table.indexes = {index};
  facts.source.described = seen;
  EXPECT_EQ(level(facts, "move", "index_name " + index.name), "none");
  index.name += 'i';
  seen.table.indexes = {index};
  facts.source.described = seen;
  EXPECT_EQ(level(facts, "move", "index_name " + index.name), "stop");
}

TEST(Findings, IsolationIsJudged) {
  CheckFacts facts = with_target();
  facts.target.tags = std::map<std::string, std::string>{{"system:write_isolation", "always"}};
  EXPECT_EQ(level(facts, "target", "isolation"), "note");
  facts.target.tags = std::map<std::string, std::string>{{"system:write_isolation", "a"},
                                                         {"experimental:initial_tablets", "0"}};
  EXPECT_EQ(level(facts, "target", "isolation"), "stop");
  facts.target.tags = std::map<std::string, std::string>();
  EXPECT_EQ(level(facts, "target", "isolation"), "note");
}

TEST(Findings, KeysInKmsAreJudged) {
  CheckFacts facts = smooth();
  facts.source.key = endpoints::KeySeen{"Enabled", "CUSTOMER"};
  EXPECT_EQ(level(facts, "source", "key"), "ok");
  facts.source.key = endpoints::KeySeen{"PendingDeletion", "CUSTOMER"};
  EXPECT_EQ(level(facts, "source", "key"), "stop");
}

TEST(Findings, ASideThatDoesNotAnswerIsOneStop) {
  CheckFacts facts = smooth();
  facts.target = {};
  facts.target.alternator = true;
  facts.target.server = fail(ErrorKind::transient, "connection refused");
  const auto findings = judge(facts);
  EXPECT_EQ(std::ranges::count(findings, "target", &Finding::side), 1);
  EXPECT_EQ(find(findings, "target", "server")->level, Level::stop);
}

TEST(Findings, TellsWhatIsMade) {
  Made made = what_is_made(smooth());
  EXPECT_THAT(made.lines, testing::ElementsAre(R"(table "orders", key id (S))",
                                               "tag system:write_isolation=only_rmw_uses_lwt"));
  made += what_is_made(with_target());
  made += what_is_made(smooth());
  EXPECT_EQ(made.tables, 2u);
  EXPECT_EQ(made.indexes, 0u);
  EXPECT_EQ(made.tags, 2u);
}

TEST(Findings, TheCapacityIsSharedAsThePaceSharesIt) {
  const auto text = [](const CheckFacts& facts) {
    const auto findings = judge(facts);
    return find(findings, "source", "billing")->text;
  };
  CheckFacts facts = smooth();
  facts.source.described->value().table.on_demand = false;
  facts.source.described->value().table.read_capacity = 100;
  EXPECT_THAT(text(facts), HasSubstr("100 provisioned RCU: the copy takes a quarter"));
  EXPECT_EQ(level(facts, "source", "billing"), "note");
  facts.source.metrics = std::size_t(3);
  EXPECT_THAT(text(facts), HasSubstr("half of what the application leaves"));
  EXPECT_EQ(level(facts, "source", "billing"), "ok");
  facts.read_share = 0.3;
  EXPECT_THAT(text(facts), HasSubstr("takes 30 %"));
  facts.read_share.reset();
  facts.read_rcu_per_s = 50;
  EXPECT_THAT(text(facts), HasSubstr("--read-rcu 50 leaves the application the rest"));
  facts.read_rcu_per_s = std::numeric_limits<double>::infinity();
  EXPECT_EQ(level(facts, "source", "billing"), "note");
  EXPECT_EQ(level(facts, "source", "quotas"), "none") << "unlimited is no rate to compare";
  facts.source.described->value().table.on_demand = true;
  facts.source.described->value().table.most_reads = 500;
  facts.read_rcu_per_s.reset();
  EXPECT_THAT(text(facts), HasSubstr("cap of 500 RCU a second: the copy takes half"));
}

TEST(Findings, WithoutMetricsItIsSaidWhatTheCopyDoes) {
  CheckFacts facts = smooth();
  facts.source.metrics = fail(denied("cloudwatch:GetMetricData"));
  auto findings = judge(facts);
  const Finding* finding = find(findings, "source", "metrics");
  EXPECT_EQ(finding->level, Level::note);
  EXPECT_EQ(finding->call, "cloudwatch:GetMetricData");
  EXPECT_THAT(finding->text, HasSubstr("a quarter of the capacity"));
  EXPECT_THAT(finding->fix, HasSubstr("messina policy"));
  EXPECT_THAT(finding->fix, HasSubstr("--read-rcu"));
  facts.source.metrics = fail(ErrorKind::config, "there is no CloudWatch");
  facts.target = {};
  facts.target.metrics = fail(denied("cloudwatch:GetMetricData"));
  findings = judge(facts);
  EXPECT_THAT(find(findings, "source", "metrics")->fix, HasSubstr("AWS_ENDPOINT_URL_CLOUDWATCH"));
  EXPECT_THAT(find(findings, "target", "metrics")->fix, HasSubstr("--write-wcu"));
}

TEST(Findings, OfManyTablesWhatHoldsForAllIsSaidOnce) {
  CheckFacts other = with_target();
  other.source.quotas.reset();
  other.source.metrics = fail(denied("cloudwatch:GetMetricData"));
  std::vector<std::vector<Finding>> tables{judge(smooth()), judge(other)};
  const auto common = take_for_all(tables);
  for (const char* id : {"server", "caller", "quotas_call", "clock", "metrics"})
    EXPECT_NE(find(common, "source", id), nullptr) << id;
  for (const char* id : {"server", "nodes", "version", "clock"})
    EXPECT_NE(find(common, "target", id), nullptr) << id;
  for (const char* id : {"state", "disk", "open_files"})
    EXPECT_NE(find(common, "machine", id), nullptr) << id;
  EXPECT_NE(find(common, "move", "unseen"), nullptr);
  for (const Finding& finding : common) {
    EXPECT_TRUE(finding.for_all);
    for (const auto& table : tables) EXPECT_EQ(find(table, finding.side, finding.id), nullptr) << finding.id;
    EXPECT_EQ(std::ranges::count_if(
                  common, [&](const Finding& f) { return f.side == finding.side && f.id == finding.id; }),
              1);
  }
  EXPECT_NE(find(tables[0], "target", "table"), nullptr);
  EXPECT_NE(find(tables[1], "target", "schema"), nullptr);
  EXPECT_NE(find(tables[1], "source", "billing"), nullptr);
}

TEST(Findings, WhatIsKnownOfASideIsTakenOver) {
  const CheckFacts known = smooth();
  SideFacts fresh;
  fresh.caller = fail(denied("sts"));
  fresh.share(known.source);
  EXPECT_TRUE(fresh.server && fresh.quotas);
  EXPECT_FALSE(fresh.described || fresh.scan_one || fresh.tags) << "a table's own";
  EXPECT_FALSE(*fresh.caller) << "what it saw itself stays";
}

TEST(Findings, ComparesVersions) {
  EXPECT_TRUE(version_at_least("2025.2.1", 2025, 2));
  EXPECT_TRUE(version_at_least("2026.1", 2025, 2));
  EXPECT_FALSE(version_at_least("2025.1.9", 2025, 2));
  EXPECT_FALSE(version_at_least("6.2.3", 2025, 2));
  EXPECT_TRUE(version_at_least("5.2.0~rc3", 5, 2));
  EXPECT_FALSE(version_at_least("", 1, 0));
  EXPECT_FALSE(version_at_least("unknown", 1, 0));
}

}  // namespace
}  // namespace messina::jobs

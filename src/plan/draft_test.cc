#include "plan/draft.h"

#include <map>

#include <gtest/gtest.h>

#include "plan/uri.h"

namespace messina::plan {
namespace {

using Renames = std::map<std::string, std::string, std::less<>>;
using Variables = std::map<std::string, std::string, std::less<>>;

Environment environment(Variables variables) {
  return [variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

Result<std::string> no_file(const std::string& path) {
  return fail(ErrorKind::config, "cannot read " + path);
}

Draft two_sides(std::string_view source = "dynamodb://us-east-1/orders",
                std::string_view target = "alternator://h:8000/orders") {
  Draft draft;
  draft.source.address = parse_uri(source, "source").value();
  draft.target.address = parse_uri(target, "target").value();
  return draft;
}

std::string refusal(const Draft& flags, const Draft& file = {}, Variables variables = {}) {
  const auto plan = make_plan(flags, file, environment(std::move(variables)), no_file);
  if (!plan) return plan.error().message;
  const auto checked = check_addresses(*plan);
  return checked ? "accepted" : checked.error().message;
}

TEST(MakePlan, TakesFlagsBeforeThePlan) {
  Draft flags = two_sides("dynamodb:///orders");
  Draft file;
  file.segments = 8;
  file.read_rcu_per_s = 100;
  file.source.region = "eu-west-2";
  flags.segments = 16;
  auto plan = make_plan(flags, file, environment({}), no_file).value();
  EXPECT_EQ(plan.segments, 16u);
  EXPECT_EQ(plan.read_rcu_per_s, 100);
  EXPECT_EQ(plan.source.region, "eu-west-2");
  EXPECT_EQ(plan.memory_bytes, 256u << 20);
  flags.source.region = "eu-west-3";
  EXPECT_EQ(make_plan(flags, file, environment({}), no_file).value().source.region, "eu-west-3");
}

TEST(MakePlan, ReadsSecretsByReferenceAndKeepsLayersApart) {
  Draft flags = two_sides();
  flags.target.credentials.access_key = "AK";
  flags.target.credentials.secret_key_env = "SCYLLA_SECRET";
  Draft file;
  file.target.credentials.access_key = "OTHER";
  file.target.credentials.secret_key = Secret("other");
  const auto plan = make_plan(flags, file, environment({{"SCYLLA_SECRET", "s3cret"}}), no_file).value();
  EXPECT_EQ(plan.target.access_key, "AK");
  EXPECT_EQ(plan.target.secret_key->reveal(), "s3cret");
  EXPECT_EQ(refusal(flags), "the target's secret key: the environment variable \"SCYLLA_SECRET\" is not set");

  flags.target.credentials.secret_key_env.reset();
  EXPECT_NE(refusal(flags, file).find("has an access key but no secret key"), std::string::npos)
      << "a flag's access key must not meet the plan's secret";

  flags.target.credentials.secret_key_file = "/secret";
  const FileReader reader = [](const std::string&) -> Result<std::string> { return "from-file\n"; };
  EXPECT_EQ(make_plan(flags, {}, environment({}), reader).value().target.secret_key->reveal(), "from-file");
  EXPECT_EQ(refusal(flags), "the target's secret key: cannot read /secret");
}

TEST(MakePlan, RefusesWhatCannotBe) {
  EXPECT_NE(refusal({}).find("there is no source"), std::string::npos);
  EXPECT_EQ(refusal(two_sides()), "accepted");
  EXPECT_NE(refusal(two_sides("alternator://h:8000/orders")).find("are the same table"), std::string::npos);
  EXPECT_NE(refusal(two_sides("alternator://h:8000/orders", "dynamodb://us-east-1/orders"))
                .find("--allow-write-aws"),
            std::string::npos);
  Draft flags = two_sides();
  flags.skip_segments = std::set<std::uint32_t>{3};
  EXPECT_NE(refusal(flags).find("needs --segments"), std::string::npos);
  flags.segments = 3;
  EXPECT_NE(refusal(flags).find("the last one is 2"), std::string::npos);
  flags = two_sides();
  flags.target.rack = "r1";
  EXPECT_NE(refusal(flags).find("--target-rack needs --target-datacenter"), std::string::npos);
  flags = two_sides();
  flags.source.datacenter = "dc1";
  EXPECT_NE(refusal(flags).find("--source-datacenter is for Alternator"), std::string::npos);
  flags = two_sides();
  flags.target.credentials.profile = "prod";
  EXPECT_NE(refusal(flags).find("--target-profile is for DynamoDB"), std::string::npos);
  flags = two_sides();
  flags.renames = Renames{{"a", "c"}, {"b", "c"}};
  EXPECT_NE(refusal(flags).find("both renamed to \"c\""), std::string::npos);
  flags.renames = Renames{{"a", "b"}};
  flags.drops.emplace().insert("a");
  EXPECT_NE(refusal(flags).find("both renamed and dropped"), std::string::npos);
  flags = two_sides();
  flags.memory_bytes = 1;
  EXPECT_NE(refusal(flags).find("less than 16MiB"), std::string::npos);
  flags = two_sides();
  flags.write_isolation = "only_rmw_uses_lwr";
  EXPECT_NE(refusal(flags).find("did you mean \"only_rmw_uses_lwt\"?"), std::string::npos);
  Draft file = two_sides();
  file.source.address_from = "plan.yaml:2";
  EXPECT_NE(refusal(two_sides(), file).find("on the command line and at plan.yaml:2"), std::string::npos);
}

TEST(MakePlan, ARoleIsDynamoDbsAndWellFormed) {
  Draft flags = two_sides();
  auto& role = flags.source.credentials;
  role.role_arn = "arn:aws-cn:iam::123456789012:role/path/Migration+1";
  role.role_session_name = "night.job@x";
  role.role_external_id = "a:b/c-1";
  EXPECT_EQ(refusal(flags), "accepted");
  const auto made = make_plan(flags, {}, {}, {});
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->source.role_arn, role.role_arn);
  EXPECT_EQ(made->source.role_session_name, role.role_session_name);
  EXPECT_EQ(made->source.role_external_id, role.role_external_id);
  role.role_session_name = "two words";
  EXPECT_NE(refusal(flags).find("--source-role-session-name \"two words\" cannot be"), std::string::npos);
  role.role_session_name = "x";
  EXPECT_NE(refusal(flags).find("cannot be"), std::string::npos);
  role.role_session_name.reset();
  role.role_external_id = "a\nb";
  EXPECT_NE(refusal(flags).find("--source-external-id cannot be"), std::string::npos);
  role.role_arn = "arn:aws:iam::1:user/ann";
  EXPECT_NE(refusal(flags).find("is no role"), std::string::npos);
  role.role_arn.reset();
  EXPECT_NE(refusal(flags).find("--source-external-id goes with a role"), std::string::npos);
  flags = two_sides();
  flags.target.credentials.role_arn = "arn:aws:iam::1:role/r";
  EXPECT_NE(refusal(flags).find("--target-role-arn is for DynamoDB"), std::string::npos);
}

TEST(MakePlan, RefusesToSendLostRequestsAgainAtOnce) {
  Draft flags = two_sides();
  flags.dead_after = std::chrono::milliseconds(0);
  EXPECT_NE(refusal(flags).find("--dead-after is 0"), std::string::npos);
  flags.dead_after = std::chrono::milliseconds(1);
  EXPECT_EQ(refusal(flags), "accepted");
}

TEST(MakePlan, RefusesTlsSettingsWithoutTls) {
  Draft flags = two_sides();
  flags.target.ca_file = "ca.pem";
  EXPECT_NE(refusal(flags).find("--target-ca-file is for TLS"), std::string::npos);
  flags.target.address = parse_uri("alternators://h:8043/orders", "target").value();
  EXPECT_EQ(refusal(flags), "accepted");
}

TEST(MakePlan, WantsATableOnEachSide) {
  EXPECT_EQ(refusal(two_sides("dynamodb://us-east-1")),
            "the source names no table: write dynamodb://REGION/TABLE, alternator://HOST:PORT/TABLE or "
            "alternators://HOST:PORT/TABLE (TLS), or choose many tables by --tables");
  Draft file = two_sides("dynamodb://us-east-1/orders", "alternator://h:8000");
  file.target.address_from = "p.yaml:3";
  EXPECT_EQ(
      refusal({}, file),
      "p.yaml:3: the target names no table: add \"table\" to it, or choose many tables by \"tables\" or "
      "--tables");
}

TEST(MakeManyTables, WantsRegionsAndClusters) {
  const auto many = [](Draft flags, const Draft& file = {}) {
    auto made = make_many_tables(flags, file, environment({}), no_file);
    return made ? std::string("accepted") : made.error().message;
  };
  Draft flags = two_sides("dynamodb://us-east-1", "alternator://h:8000");
  EXPECT_FALSE(names_many_tables(flags, {}));
  flags.tables.emplace().emplace_back().table = "orders*";
  EXPECT_TRUE(names_many_tables(flags, {}));
  EXPECT_EQ(many(flags), "accepted");
  Draft with_table = flags;
  with_table.target.address = parse_uri("alternator://h:8000/orders", "target").value();
  EXPECT_EQ(many(with_table),
            "the target names the table \"orders\", and --tables chooses tables: leave the table out of the "
            "address");
  Draft skips = flags;
  skips.segments = 4;
  skips.skip_segments = {1};
  EXPECT_NE(many(skips).find("of one table only"), std::string::npos);
  Draft file;
  file.tables.emplace().emplace_back().table = "of the plan";
  file.parallel_tables = 9;
  file.target_name = "{table}_2";
  const auto made = make_many_tables(flags, file, environment({}), no_file).value();
  EXPECT_EQ(made.choice.entries.front().table, "orders*");
  EXPECT_EQ(made.choice.parallel, 9u);
  EXPECT_EQ(made.choice.target_name, "{table}_2");
}

TEST(IsRealAws, KnowsOverrides) {
  auto spec = parse_uri("dynamodb://us-east-1/orders", "target").value();
  EXPECT_TRUE(is_real_aws(spec));
  spec.endpoint_url = "http://localhost:8000";
  EXPECT_FALSE(is_real_aws(spec));
  spec.endpoint_url = "https://dynamodb.us-east-1.amazonaws.com";
  EXPECT_TRUE(is_real_aws(spec));
  EXPECT_FALSE(is_real_aws(parse_uri("alternator://h:1/orders", "target").value()));
}

TEST(SameTable, ComparesWhatTheAddressesTell) {
  auto a = parse_uri("dynamodb://us-east-1/orders", "s").value();
  auto b = a;
  EXPECT_TRUE(same_table(a, b));
  b.region = "us-east-2";
  EXPECT_FALSE(same_table(a, b));
  b = a;
  b.endpoint_url = "http://h:1";
  EXPECT_FALSE(same_table(a, b));
  a.endpoint_url = "http://h:1/";
  EXPECT_TRUE(same_table(a, b));
}

TEST(Rename, SplitsAtTheFirstEquals) {
  EXPECT_EQ(parse_rename("a=b").value(), (std::pair<std::string, std::string>("a", "b")));
  for (const char* wrong : {"a", "=b", "a=", ""}) EXPECT_FALSE(parse_rename(wrong)) << wrong;
}

}  // namespace
}  // namespace messina::plan

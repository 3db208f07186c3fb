#include "plan/plan_json.h"

#include <gtest/gtest.h>

#include "plan/uri.h"

namespace messina::plan {
namespace {

CopyPlan full_plan() {
  CopyPlan plan;
  plan.source = parse_uri("dynamodb://us-east-1/orders", "source").value();
  plan.source.endpoint_url = "http://h:1";
  plan.source.access_key = "AK";
  plan.source.secret_key = Secret("hunter2");
  plan.source.secret_key_env = "S";
  plan.source.role_arn = "arn:aws:iam::123456789012:role/migration";
  plan.source.role_session_name = "night-job";
  plan.source.role_external_id = "x1";
  plan.target = parse_uri("alternators://[::1]:8043/orders2", "target").value();
  plan.target.datacenter = "dc1";
  plan.target.rack = "r1";
  plan.target.gzip_requests = true;
  plan.target.max_batch_items = 50;
  plan.target.max_connections = 9;
  plan.target.session_token = Secret("hunter3");
  plan.target.ca_file = "ca.pem";
  plan.transform.renames = {{"a", "b"}};
  plan.transform.drops = {"c"};
  plan.segments = 10;
  plan.skip_segments = {1, 2};
  plan.schema = SchemaMode::check;
  plan.write_isolation = "always";
  plan.read_rcu_per_s = 12.5;
  plan.write_share = 0.25;
  plan.eventually_consistent = true;
  plan.write_concurrency = 3;
  plan.memory_bytes = 1ull << 33;
  plan.clock_error = std::chrono::milliseconds(1500);
  plan.into_existing = true;
  return plan;
}

TEST(PlanJson, ReadsBackEverythingButSecrets) {
  CopyPlan plan = full_plan();
  const std::string json = to_json(plan);
  EXPECT_EQ(json.find("hunter"), std::string::npos);
  EXPECT_EQ(json.find('\n'), std::string::npos);
  const CopyPlan back = plan_from_json(json).value();
  plan.source.secret_key.reset();
  plan.target.session_token.reset();
  EXPECT_EQ(back.source, plan.source);
  EXPECT_EQ(back.target, plan.target);
  EXPECT_EQ(back.transform.renames, plan.transform.renames);
  EXPECT_EQ(back.transform.drops, plan.transform.drops);
  EXPECT_EQ(to_json(back), json);
}

TEST(PlanJson, RefusesWhatItIsNot) {
  for (const char* wrong :
       {"", "{", "[]", "{}", R"({"format":2})", R"({"format":1})", R"({"format":1,"source":{},"target":{}})",
        R"({"format":1,"source":{"kind":"dynamodb","port":70000},"target":{"kind":"dynamodb"}})"})
    EXPECT_FALSE(plan_from_json(wrong)) << wrong;
}

TEST(Fingerprint, ChangesWithWhatIsWrittenOnly) {
  const CopyPlan plan = full_plan();
  CopyPlan other = plan;
  other.read_rcu_per_s = 1;
  other.memory_bytes = 1;
  other.target.gzip_requests = false;
  EXPECT_EQ(fingerprint(plan), fingerprint(other));
  other.transform.drops.insert("d");
  EXPECT_NE(fingerprint(plan), fingerprint(other));
  other = plan;
  other.segments = 11;
  EXPECT_NE(fingerprint(plan), fingerprint(other));
  EXPECT_EQ(fingerprint(plan).size(), 64u);
}

}  // namespace
}  // namespace messina::plan

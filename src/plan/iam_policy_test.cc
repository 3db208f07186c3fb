#include "plan/iam_policy.h"

#include <set>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::plan {
namespace {

using testing::HasSubstr;
using testing::Not;

CopyPlan to_alternator(std::string region = "us-east-1") {
  CopyPlan plan;
  plan.source.table = "orders";
  plan.source.region = std::move(region);
  plan.target.kind = EndpointKind::alternator;
  plan.target.table = "orders";
  return plan;
}

CopyPlan to_dynamodb() {
  CopyPlan plan = to_alternator();
  plan.target.kind = EndpointKind::dynamodb;
  plan.target.region = "us-east-1";
  return plan;
}

/// The only document.
std::string policy_of(const CopyPlan& plan, const PolicyQuestion& question) {
  const auto policy = iam_policy(plan, question);
  if (!policy) return policy.error().message;
  EXPECT_EQ(policy->form, PolicyForm::by_job);
  EXPECT_EQ(policy->documents.size(), 1u);
  return policy->documents.front();
}

TEST(IamPolicy, NamesTheTableByItsArn) {
  PolicyQuestion question;
  question.jobs = {PolicyJob::copy};
  question.source_account = "123456789012";
  CopyPlan plan = to_alternator();
  plan.read_rcu_per_s = 100;
  EXPECT_EQ(policy_of(plan, question), R"({
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "CopyReadSource",
      "Effect": "Allow",
      "Action": [
        "dynamodb:DescribeTable",
        "dynamodb:DescribeTimeToLive",
        "dynamodb:ListTagsOfResource",
        "dynamodb:Scan"
      ],
      "Resource": [
        "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
      ]
    }
  ]
}
)");
}

TEST(IamPolicy, KnowsThePartitions) {
  EXPECT_EQ(partition_of("cn-north-1"), "aws-cn");
  EXPECT_EQ(partition_of("us-gov-west-1"), "aws-us-gov");
  EXPECT_EQ(partition_of("eu-west-1"), "aws");
  EXPECT_THAT(policy_of(to_alternator("cn-north-1"), {}),
              HasSubstr("arn:aws-cn:dynamodb:cn-north-1:*:table/orders"));
}

TEST(IamPolicy, NeverWritesToTheSource) {
  PolicyQuestion question;
  question.jobs = {PolicyJob::schema, PolicyJob::copy, PolicyJob::check, PolicyJob::verify};
  const auto policy = policy_of(to_alternator(), question);
  for (const char* writing : {"Write", "Put", "Delete", "Update", "Create", "TagResource", "\"*\",\n"})
    EXPECT_THAT(policy, Not(HasSubstr(writing)));
}

TEST(IamPolicy, AKeyIsForDynamoDbAlone) {
  PolicyQuestion question;
  question.key_arns = {"arn:aws:kms:us-east-1:123456789012:key/k"};
  const auto policy = policy_of(to_alternator(), question);
  EXPECT_THAT(
      policy,
      HasSubstr("\"kms:ViaService\": [\n            \"dynamodb.us-east-1.amazonaws.com\"\n          ]"));
  EXPECT_THAT(policy_of(to_alternator(), {}), Not(HasSubstr("kms:")));
}

TEST(IamPolicy, OtherJobsAreAskedFor) {
  PolicyQuestion question;
  question.jobs = {PolicyJob::capture, PolicyJob::from_export};
  EXPECT_THAT(iam_policy(to_alternator(), question).error().message, HasSubstr("--bucket"));
  question.bucket = "dumps";
  const auto policy = policy_of(to_alternator(), question);
  EXPECT_THAT(policy, HasSubstr("\"arn:aws:s3:::dumps/*\""));
  EXPECT_THAT(policy, HasSubstr("table/orders/stream/*"));
  EXPECT_THAT(policy, HasSubstr("dynamodb:UpdateTable"));
}

TEST(IamPolicy, WithoutDynamoDbThereIsNothing) {
  CopyPlan plan = to_alternator();
  plan.source.kind = EndpointKind::alternator;
  EXPECT_EQ(iam_policy(plan, {}).error().kind, ErrorKind::usage);
}

TEST(IamPolicy, MetricsAreForAPaceThatNeedsThem) {
  const auto has = [](const CopyPlan& plan, std::set<PolicyJob> jobs) {
    PolicyQuestion question;
    question.jobs = std::move(jobs);
    return policy_of(plan, question).find("cloudwatch:GetMetricData") != std::string::npos;
  };
  CopyPlan plan = to_alternator();
  EXPECT_TRUE(has(plan, {PolicyJob::copy}));
  EXPECT_TRUE(has(plan, {PolicyJob::check}));
  EXPECT_FALSE(has(plan, {PolicyJob::schema}));
  plan.read_share = 0.3;
  EXPECT_FALSE(has(plan, {PolicyJob::copy, PolicyJob::check}));
  plan = to_dynamodb();
  plan.read_rcu_per_s = 100;
  EXPECT_TRUE(has(plan, {PolicyJob::copy})) << "the writes' pace";
  plan.write_wcu_per_s = 100;
  EXPECT_FALSE(has(plan, {PolicyJob::copy}));
}

PolicyTables tables(std::size_t count, const std::string& name = "production-orders-of-region-") {
  PolicyTables tables;
  for (std::size_t i = 0; i < count; ++i) {
    tables.sources.push_back(fmt::format("{}{:05}", name, i));
    tables.targets.push_back(tables.sources.back() + "-v2");
  }
  return tables;
}

/// Everything about documents that must hold whatever the tables are; returns all resources.
std::multiset<std::string> checked_resources(const PolicyDocuments& policy) {
  std::multiset<std::string> resources;
  EXPECT_LE(policy.documents.size(), kPoliciesPerRole);
  for (const std::string& document : policy.documents) {
    EXPECT_LE(policy_characters(document), kPolicyCharacters);
    const auto json = boost::json::parse(document);
    std::set<std::string> sids;
    for (const auto& statement : json.at("Statement").as_array()) {
      EXPECT_TRUE(sids.insert(std::string(statement.at("Sid").as_string())).second);
      EXPECT_FALSE(statement.at("Action").as_array().empty());
      for (const auto& resource : statement.at("Resource").as_array())
        resources.insert(std::string(resource.as_string()));
    }
  }
  return resources;
}

TEST(IamPolicy, AllJobsOfOneTableFitOnePolicy) {
  PolicyQuestion question;
  question.jobs = {PolicyJob::schema,  PolicyJob::copy,   PolicyJob::check,
                   PolicyJob::capture, PolicyJob::verify, PolicyJob::from_export};
  question.bucket = "dumps";
  question.key_arns = {"arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"};
  CopyPlan plan = to_dynamodb();
  plan.source.table = plan.target.table = std::string(255, 't');
  const auto policy = iam_policy(plan, question);
  ASSERT_TRUE(policy);
  checked_resources(*policy);
  EXPECT_EQ(policy->documents.size(), 1u);
}

TEST(IamPolicy, MoreTablesAreMergedThenSplitThenWidened) {
  const auto of = [](std::size_t count) {
    auto policy = iam_policy(to_dynamodb(), tables(count), std::nullopt, {});
    EXPECT_TRUE(policy);
    return *policy;
  };
  EXPECT_EQ(of(3).form, PolicyForm::by_job);
  EXPECT_EQ(of(15).form, PolicyForm::merged);
  const PolicyDocuments split = of(200);
  EXPECT_EQ(split.form, PolicyForm::split);
  const auto resources = checked_resources(split);
  // Each table, its streams and its target once, and the account.
  EXPECT_EQ(resources.size(), 3 * 200 + 1u);
  for (const std::string& name : tables(200).sources) {
    EXPECT_EQ(resources.count("arn:aws:dynamodb:us-east-1:*:table/" + name), 1u) << name;
    EXPECT_EQ(resources.count("arn:aws:dynamodb:us-east-1:*:table/" + name + "/stream/*"), 1u) << name;
    EXPECT_EQ(resources.count("arn:aws:dynamodb:us-east-1:*:table/" + name + "-v2"), 1u) << name;
  }
  const PolicyDocuments widened = of(1'000);
  EXPECT_EQ(widened.form, PolicyForm::widened);
  EXPECT_EQ(widened.documents.size(), 1u);
  EXPECT_TRUE(checked_resources(widened).contains(
      "arn:aws:dynamodb:us-east-1:*:table/production-orders-of-region-00*"));
}

TEST(IamPolicy, TheGivenPatternsStandForTooManyTables) {
  const PolicyTables wider{{"production-*", "other"}, {"production-*-v2", "other"}, true};
  const auto policy = iam_policy(to_dynamodb(), tables(1'000), wider, {});
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->form, PolicyForm::widened);
  const auto resources = checked_resources(*policy);
  EXPECT_TRUE(resources.contains("arn:aws:dynamodb:us-east-1:*:table/production-*-v2"));
  EXPECT_TRUE(resources.contains("arn:aws:dynamodb:us-east-1:*:table/other"));
}

TEST(IamPolicy, PatternsNeedTheListOfTables) {
  PolicyTables chosen = tables(2);
  EXPECT_THAT(iam_policy(to_alternator(), chosen, std::nullopt, {})->documents.front(),
              Not(HasSubstr("ListTables")));
  chosen.listed = true;
  EXPECT_THAT(iam_policy(to_alternator(), chosen, std::nullopt, {})->documents.front(),
              HasSubstr("\"dynamodb:ListTables\""));
}

TEST(IamPolicy, IamLeavesWhiteSpaceOut) { EXPECT_EQ(policy_characters("{ \"a\" :\n\t[] }\r\n"), 8u); }

TEST(IamPolicy, JobsAndAccountsAreChecked) {
  EXPECT_EQ(*parse_policy_jobs("copy,export"), (std::set{PolicyJob::copy, PolicyJob::from_export}));
  EXPECT_THAT(parse_policy_jobs("copy,vrify").error().message, HasSubstr("did you mean \"verify\""));
  EXPECT_FALSE(parse_policy_jobs(""));
  EXPECT_EQ(*parse_account("012345678901"), "012345678901");
  EXPECT_FALSE(parse_account("12345"));
  EXPECT_FALSE(parse_account("12345678901x"));
}

}  // namespace
}  // namespace messina::plan

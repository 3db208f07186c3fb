#include "plan/iam_policy.h"

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

TEST(IamPolicy, NamesTheTableByItsArn) {
  PolicyQuestion question;
  question.jobs = {PolicyJob::copy};
  question.source_account = "123456789012";
  EXPECT_EQ(*iam_policy(to_alternator(), question), R"({
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
  EXPECT_THAT(*iam_policy(to_alternator("cn-north-1"), {}),
              HasSubstr("arn:aws-cn:dynamodb:cn-north-1:*:table/orders"));
}

TEST(IamPolicy, NeverWritesToTheSource) {
  PolicyQuestion question;
  question.jobs = {PolicyJob::schema, PolicyJob::copy, PolicyJob::check, PolicyJob::verify};
  const auto policy = iam_policy(to_alternator(), question);
  for (const char* writing : {"Write", "Put", "Delete", "Update", "Create", "TagResource", "\"*\",\n"})
    EXPECT_THAT(*policy, Not(HasSubstr(writing)));
}

TEST(IamPolicy, AKeyIsForDynamoDbAlone) {
  PolicyQuestion question;
  question.key_arn = "arn:aws:kms:us-east-1:123456789012:key/k";
  const auto policy = iam_policy(to_alternator(), question);
  EXPECT_THAT(
      *policy,
      HasSubstr("\"kms:ViaService\": [\n            \"dynamodb.us-east-1.amazonaws.com\"\n          ]"));
  EXPECT_THAT(*iam_policy(to_alternator(), {}), Not(HasSubstr("kms:")));
}

TEST(IamPolicy, OtherJobsAreAskedFor) {
  PolicyQuestion question;
  question.jobs = {PolicyJob::capture, PolicyJob::from_export};
  EXPECT_THAT(iam_policy(to_alternator(), question).error().message, HasSubstr("--bucket"));
  question.bucket = "dumps";
  const auto policy = iam_policy(to_alternator(), question);
  EXPECT_THAT(*policy, HasSubstr("\"arn:aws:s3:::dumps/*\""));
  EXPECT_THAT(*policy, HasSubstr("table/orders/stream/*"));
  EXPECT_THAT(*policy, HasSubstr("dynamodb:UpdateTable"));
}

TEST(IamPolicy, WithoutDynamoDbThereIsNothing) {
  CopyPlan plan = to_alternator();
  plan.source.kind = EndpointKind::alternator;
  EXPECT_EQ(iam_policy(plan, {}).error().kind, ErrorKind::usage);
}

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

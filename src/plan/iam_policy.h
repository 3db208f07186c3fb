// The least IAM policy that a plan needs, as JSON. Pure.
// Source: AWS Service Authorization Reference, "Actions, resources, and condition keys for Amazon DynamoDB"
// (and AWS KMS, Amazon S3). tests/e2e/test_policy.py runs messina under it, and without each of its actions
// in turn.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/error.h"
#include "plan/plan.h"

namespace messina::plan {

/// Whom the permissions are for. Capture, verify and exports are asked for by name only.
enum class PolicyJob : std::uint8_t { schema, copy, check, capture, verify, from_export };

/// "copy,check": names of jobs, "export" for from_export. Errors: usage, with the names that there are.
Result<std::set<PolicyJob>> parse_policy_jobs(std::string_view text);

struct PolicyQuestion {
  std::set<PolicyJob> jobs{PolicyJob::schema, PolicyJob::copy, PolicyJob::check};
  std::string source_account = "*", target_account = "*";  ///< 12 digits, or "*"
  std::optional<std::string> key_arn;                      ///< of the source's own key in AWS KMS
  std::optional<std::string> bucket;  ///< that an export is written to; needed for from_export
};

/// "aws", "aws-cn", "aws-us-gov", …: the first part of ARNs, by the region.
std::string_view partition_of(std::string_view region);

/// Several lines of JSON, with the end of the last. Errors: usage (neither side is DynamoDB; an export
/// without its bucket).
Result<std::string> iam_policy(const CopyPlan& plan, const PolicyQuestion& question);

/// 12 digits. Errors: usage.
Result<std::string> parse_account(std::string_view text);

}  // namespace messina::plan

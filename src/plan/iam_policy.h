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
#include <vector>

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
  std::vector<std::string> key_arns;                       ///< of the source's own keys in AWS KMS
  std::optional<std::string> bucket;  ///< that an export is written to; needed for from_export
};

/// The tables of both sides. "*" and "?" mean in a name what they mean in IAM's ARNs.
struct PolicyTables {
  std::vector<std::string> sources, targets;  ///< at least one each
  bool listed = false;                        ///< patterns chose them: the source's tables have to be listed
};

/// What a customer managed policy may hold: characters, white space left out; and how many a role takes
/// unless its quota was raised (IAM User Guide, "IAM and AWS STS quotas").
inline constexpr std::size_t kPolicyCharacters = 6'144;
inline constexpr std::size_t kPoliciesPerRole = 10;

/// A policy under IAM's limits: the first of these forms that fits.
enum class PolicyForm : std::uint8_t {
  by_job,   ///< a statement a job and resource
  merged,   ///< the jobs' statements are one, so that each table is named once
  split,    ///< the same over several policies, all of which are to be attached
  widened,  ///< patterns stand for tables' names
};
struct PolicyDocuments {
  PolicyForm form = PolicyForm::by_job;
  std::vector<std::string> documents;  ///< several lines of JSON each, with the end of the last
};

/// "aws", "aws-cn", "aws-us-gov", …: the first part of ARNs, by the region.
std::string_view partition_of(std::string_view region);

/// `plan` has the sides, whatever tables it names. `wider`: what may stand for `tables` if their names are
/// too many; without it the longest beginning that they share. Errors: usage (neither side is DynamoDB; an
/// export without its bucket).
Result<PolicyDocuments> iam_policy(const CopyPlan& plan, const PolicyTables& tables,
                                   const std::optional<PolicyTables>& wider, const PolicyQuestion& question);
/// Of the plan's own tables.
Result<PolicyDocuments> iam_policy(const CopyPlan& plan, const PolicyQuestion& question);

/// As IAM counts them.
std::size_t policy_characters(std::string_view json);

/// The pace of a side goes by what the application uses, which CloudWatch tells: DynamoDB, without a rate or
/// a share of its own.
bool reads_paced_by_metrics(const CopyPlan& plan);
bool writes_paced_by_metrics(const CopyPlan& plan);

/// 12 digits. Errors: usage.
Result<std::string> parse_account(std::string_view text);

}  // namespace messina::plan

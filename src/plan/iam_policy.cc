#include "plan/iam_policy.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/json_text.h"
#include "plan/text.h"

namespace messina::plan {
namespace {

constexpr std::array<std::pair<std::string_view, PolicyJob>, 6> kJobs = {
    {{"schema", PolicyJob::schema},
     {"copy", PolicyJob::copy},
     {"check", PolicyJob::check},
     {"capture", PolicyJob::capture},
     {"verify", PolicyJob::verify},
     {"export", PolicyJob::from_export}}};

/// Longer prefixes first (source: botocore, data/partitions.json).
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kPartitions = {
    {{"cn-", "aws-cn"},
     {"us-gov-", "aws-us-gov"},
     {"us-isob-", "aws-iso-b"},
     {"us-isof-", "aws-iso-f"},
     {"eu-isoe-", "aws-iso-e"},
     {"us-iso-", "aws-iso"},
     {"eusc-", "aws-eusc"}}};

struct Statement {
  std::string sid;
  std::vector<std::string> actions;
  std::vector<std::string> resources;
  std::vector<std::string> via_services = {};  ///< the condition kms:ViaService
};

/// A list of JSON, its elements indented so far.
std::string list_text(const std::vector<std::string>& texts, std::size_t indent = 8) {
  std::string out = "[";
  for (const std::string& text : texts)
    out += fmt::format("{}\n{:{}}{}", out.size() > 1 ? "," : "", "", indent, json_string(text));
  return out + fmt::format("\n{:{}}]", "", indent - 2);
}

std::string statement_text(const Statement& statement) {
  std::string out = fmt::format(
      "    {{\n      \"Sid\": {},\n      \"Effect\": \"Allow\",\n      \"Action\": {},\n      \"Resource\": "
      "{}",
      json_string(statement.sid), list_text(statement.actions), list_text(statement.resources));
  if (!statement.via_services.empty()) {
    out += fmt::format(
        ",\n      \"Condition\": {{\n        \"StringEquals\": {{\n          \"kms:ViaService\": {}\n        "
        "}}\n      }}",
        list_text(statement.via_services, 12));
  }
  return out + "\n    }";
}

std::vector<std::string> dynamodb(std::initializer_list<std::string_view> operations) {
  std::vector<std::string> actions;
  for (const std::string_view operation : operations)
    actions.push_back(fmt::format("dynamodb:{}", operation));
  return actions;
}

std::string table_arn(const EndpointSpec& side, const std::string& account) {
  return fmt::format("arn:{}:dynamodb:{}:{}:table/{}", partition_of(side.region), side.region, account,
                     side.table);
}

class PolicyWriter {
 public:
  PolicyWriter(const CopyPlan& plan, const PolicyQuestion& question) : plan_(plan), question_(question) {}

  std::string write() {
    if (plan_.source.kind == EndpointKind::dynamodb) source();
    if (plan_.target.kind == EndpointKind::dynamodb) target();
    const bool limits = plan_.source.kind == EndpointKind::dynamodb;
    // The quotas are the account's, not a table's: they have no resource.
    if (wants(PolicyJob::check) && limits) add({"CheckQuotas", dynamodb({"DescribeLimits"}), {"*"}});
    std::string out = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n";
    for (const Statement& statement : statements_) {
      if (&statement != &statements_.front()) out += ",\n";
      out += statement_text(statement);
    }
    return out + "\n  ]\n}\n";
  }

 private:
  bool wants(PolicyJob job) const { return question_.jobs.contains(job); }
  void add(Statement statement) { statements_.push_back(std::move(statement)); }

  void source() {
    const std::string table = table_arn(plan_.source, question_.source_account);
    const std::string streams = table + "/stream/*";
    if (wants(PolicyJob::schema))
      add({"SchemaReadSource",
           dynamodb({"DescribeTable", "DescribeTimeToLive", "ListTagsOfResource"}),
           {table}});
    if (wants(PolicyJob::copy))
      add({"CopyReadSource",
           dynamodb({"DescribeTable", "DescribeTimeToLive", "ListTagsOfResource", "Scan"}),
           {table}});
    if (wants(PolicyJob::capture)) {
      // The table's stream is switched on, and items are read again whose stream does not carry them.
      add({"CaptureReadSource", dynamodb({"DescribeTable", "UpdateTable", "BatchGetItem"}), {table}});
      add({"CaptureReadStream",
           dynamodb({"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"}),
           {streams}});
    }
    if (wants(PolicyJob::verify))
      add({"VerifyReadSource", dynamodb({"DescribeTable", "Scan", "BatchGetItem"}), {table}});
    if (wants(PolicyJob::from_export)) exports(table);
    if (wants(PolicyJob::check)) {
      add({"CheckSource",
           dynamodb({"DescribeTable", "DescribeTimeToLive", "ListTagsOfResource", "Scan", "BatchGetItem",
                     "DescribeContinuousBackups", "DescribeKinesisStreamingDestination",
                     "GetResourcePolicy"}),
           {table}});
      add({"CheckSourceStream",
           dynamodb({"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"}),
           {streams}});
    }
    if (!question_.key_arn) return;
    if (wants(PolicyJob::check)) add({"CheckSourceKey", {"kms:DescribeKey"}, {*question_.key_arn}});
    // A table under a customer's key is decrypted with the caller's leave, by DynamoDB alone. How China's
    // regions name it there is documented in both ways.
    const std::string host = fmt::format("dynamodb.{}.amazonaws.com", plan_.source.region);
    std::vector<std::string> services{host};
    if (partition_of(plan_.source.region) == "aws-cn") services.push_back(host + ".cn");
    add({"ReadSourceKey", {"kms:Decrypt"}, {*question_.key_arn}, std::move(services)});
  }

  void exports(const std::string& table) {
    const std::string bucket =
        fmt::format("arn:{}:s3:::{}", partition_of(plan_.source.region), question_.bucket.value_or("*"));
    add({"ExportSource", dynamodb({"ExportTableToPointInTime", "DescribeContinuousBackups"}), {table}});
    add({"ExportWatch", dynamodb({"DescribeExport"}), {table + "/export/*"}});
    // DynamoDB writes the objects in the caller's name.
    add({"ExportObjects", {"s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject"}, {bucket + "/*"}});
    add({"ExportBucket", {"s3:ListBucket"}, {bucket}});
  }

  void target() {
    const std::string table = table_arn(plan_.target, question_.target_account);
    if (wants(PolicyJob::schema))
      add({"SchemaMakeTarget",
           dynamodb(
               {"DescribeTable", "CreateTable", "TagResource", "DescribeTimeToLive", "ListTagsOfResource"}),
           {table}});
    if (wants(PolicyJob::copy))
      add({"CopyWriteTarget",
           dynamodb({"DescribeTable", "CreateTable", "TagResource", "DescribeTimeToLive",
                     "ListTagsOfResource", "Scan", "BatchWriteItem"}),
           {table}});
    if (wants(PolicyJob::capture)) add({"ApplyWriteTarget", dynamodb({"BatchWriteItem"}), {table}});
    if (wants(PolicyJob::verify))
      add({"VerifyReadTarget", dynamodb({"DescribeTable", "Scan", "BatchGetItem"}), {table}});
    if (wants(PolicyJob::check))
      add({"CheckTarget",
           dynamodb({"DescribeTable", "CreateTable", "TagResource", "DescribeTimeToLive",
                     "ListTagsOfResource", "Scan", "BatchWriteItem"}),
           {table}});
  }

  const CopyPlan& plan_;
  const PolicyQuestion& question_;
  std::vector<Statement> statements_;
};

}  // namespace

std::string_view partition_of(std::string_view region) {
  for (const auto& [prefix, partition] : kPartitions) {
    if (region.starts_with(prefix)) return partition;
  }
  return "aws";
}

Result<std::set<PolicyJob>> parse_policy_jobs(std::string_view text) {
  std::set<PolicyJob> jobs;
  std::vector<std::string> names;
  names.reserve(std::size(kJobs));
  for (const auto& [name, job] : kJobs) names.emplace_back(name);
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    const auto found = std::ranges::find(kJobs, word, &std::pair<std::string_view, PolicyJob>::first);
    if (found == kJobs.end()) {
      return fail(ErrorKind::usage, fmt::format("{} is not one of {}{}", shown(word), fmt::join(names, ", "),
                                                did_you_mean(word, names)));
    }
    jobs.insert(found->second);
    if (comma == std::string_view::npos) return jobs;
    text.remove_prefix(comma + 1);
  }
}

Result<std::string> parse_account(std::string_view text) {
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (text.size() != 12 || !digits)
    return fail(ErrorKind::usage, fmt::format("{} is no AWS account: 12 digits are", shown(text)));
  return std::string(text);
}

Result<std::string> iam_policy(const CopyPlan& plan, const PolicyQuestion& question) {
  if (plan.source.kind != EndpointKind::dynamodb && plan.target.kind != EndpointKind::dynamodb)
    return fail(ErrorKind::usage, "neither side is DynamoDB: there is nothing for IAM to allow");
  if (question.jobs.contains(PolicyJob::from_export) && plan.source.kind == EndpointKind::dynamodb &&
      !question.bucket)
    return fail(ErrorKind::usage, "an export needs a bucket: give --bucket NAME");
  return PolicyWriter(plan, question).write();
}

}  // namespace messina::plan

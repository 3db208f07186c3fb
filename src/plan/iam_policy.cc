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
  std::string group;  ///< statements of one group have the same resources; the Sid when they are merged
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

/// One for each table, with `below` added.
std::vector<std::string> table_arns(const EndpointSpec& side, const std::string& account,
                                    const std::vector<std::string>& tables, std::string_view below = {}) {
  std::vector<std::string> arns;
  arns.reserve(tables.size());
  for (const std::string& table : tables)
    arns.push_back(fmt::format("arn:{}:dynamodb:{}:{}:table/{}{}", partition_of(side.region), side.region,
                               account, table, below));
  return arns;
}

std::string document_text(const std::vector<Statement>& statements) {
  std::string out = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n";
  for (const Statement& statement : statements) {
    if (&statement != &statements.front()) out += ",\n";
    out += statement_text(statement);
  }
  return out + "\n  ]\n}\n";
}

class PolicyWriter {
 public:
  PolicyWriter(const CopyPlan& plan, const PolicyTables& tables, const PolicyQuestion& question)
      : plan_(plan), tables_(tables), question_(question) {}

  std::vector<Statement> write() {
    account();
    if (plan_.source.kind == EndpointKind::dynamodb) source();
    if (plan_.target.kind == EndpointKind::dynamodb) target();
    return std::move(statements_);
  }

 private:
  bool wants(PolicyJob job) const { return question_.jobs.contains(job); }
  void add(Statement statement) { statements_.push_back(std::move(statement)); }

  /// What has no resource: it is the account's, not a table's.
  void account() {
    const bool reads = plan_.source.kind == EndpointKind::dynamodb;
    const bool metrics = reads_paced_by_metrics(plan_) || writes_paced_by_metrics(plan_);
    if (tables_.listed && reads) add({"ListTables", "Account", dynamodb({"ListTables"}), {"*"}});
    if (wants(PolicyJob::copy) && metrics)
      add({"CopyReadMetrics", "Account", {"cloudwatch:GetMetricData"}, {"*"}});
    if (!wants(PolicyJob::check)) return;
    if (metrics) add({"CheckMetrics", "Account", {"cloudwatch:GetMetricData"}, {"*"}});
    if (reads) add({"CheckQuotas", "Account", dynamodb({"DescribeLimits"}), {"*"}});
  }

  void source() {
    const auto arns = [&](std::string_view below) {
      return table_arns(plan_.source, question_.source_account, tables_.sources, below);
    };
    const std::vector<std::string> table = arns(""), streams = arns("/stream/*");
    if (wants(PolicyJob::schema))
      add({"SchemaReadSource", "Source",
           dynamodb({"DescribeTable", "DescribeTimeToLive", "ListTagsOfResource"}), table});
    if (wants(PolicyJob::copy))
      add({"CopyReadSource", "Source",
           dynamodb({"DescribeTable", "DescribeTimeToLive", "ListTagsOfResource", "Scan"}), table});
    if (wants(PolicyJob::capture)) {
      // The table's stream is switched on, and items are read again whose stream does not carry them.
      add({"CaptureReadSource", "Source", dynamodb({"DescribeTable", "UpdateTable", "BatchGetItem"}), table});
      add({"CaptureReadStream", "SourceStreams",
           dynamodb({"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"}), streams});
    }
    if (wants(PolicyJob::verify))
      add({"VerifyReadSource", "Source", dynamodb({"DescribeTable", "Scan", "BatchGetItem"}), table});
    if (wants(PolicyJob::from_export)) exports(table, arns("/export/*"));
    if (wants(PolicyJob::check)) {
      add({"CheckSource", "Source",
           dynamodb({"DescribeTable", "DescribeTimeToLive", "ListTagsOfResource", "Scan", "BatchGetItem",
                     "DescribeContinuousBackups", "DescribeKinesisStreamingDestination",
                     "GetResourcePolicy"}),
           table});
      add({"CheckSourceStream", "SourceStreams",
           dynamodb({"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"}), streams});
    }
    const std::vector<std::string>& keys = question_.key_arns;
    if (keys.empty()) return;
    if (wants(PolicyJob::check)) add({"CheckSourceKey", "DescribeSourceKey", {"kms:DescribeKey"}, keys});
    // A table under a customer's key is decrypted with the caller's leave, by DynamoDB alone. How China's
    // regions name it there is documented in both ways.
    const std::string host = fmt::format("dynamodb.{}.amazonaws.com", plan_.source.region);
    std::vector<std::string> services{host};
    if (partition_of(plan_.source.region) == "aws-cn") services.push_back(host + ".cn");
    add({"ReadSourceKey", "ReadSourceKey", {"kms:Decrypt"}, keys, std::move(services)});
  }

  void exports(const std::vector<std::string>& table, const std::vector<std::string>& exported) {
    const std::string bucket =
        fmt::format("arn:{}:s3:::{}", partition_of(plan_.source.region), question_.bucket.value_or("*"));
    add({"ExportSource", "Source", dynamodb({"ExportTableToPointInTime", "DescribeContinuousBackups"}),
         table});
    add({"ExportWatch", "SourceExports", dynamodb({"DescribeExport"}), exported});
    // DynamoDB writes the objects in the caller's name.
    add({"ExportObjects",
         "ExportObjects",
         {"s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject"},
         {bucket + "/*"}});
    add({"ExportBucket", "ExportBucket", {"s3:ListBucket"}, {bucket}});
  }

  void target() {
    const std::vector<std::string> table =
        table_arns(plan_.target, question_.target_account, tables_.targets);
    if (wants(PolicyJob::schema))
      add({"SchemaMakeTarget", "Target",
           dynamodb(
               {"DescribeTable", "CreateTable", "TagResource", "DescribeTimeToLive", "ListTagsOfResource"}),
           table});
    if (wants(PolicyJob::copy))
      add({"CopyWriteTarget", "Target",
           dynamodb({"DescribeTable", "CreateTable", "TagResource", "DescribeTimeToLive",
                     "ListTagsOfResource", "Scan", "BatchWriteItem"}),
           table});
    if (wants(PolicyJob::capture)) add({"ApplyWriteTarget", "Target", dynamodb({"BatchWriteItem"}), table});
    if (wants(PolicyJob::verify))
      add({"VerifyReadTarget", "Target", dynamodb({"DescribeTable", "Scan", "BatchGetItem"}), table});
    if (wants(PolicyJob::check))
      add({"CheckTarget", "Target",
           dynamodb({"DescribeTable", "CreateTable", "TagResource", "DescribeTimeToLive",
                     "ListTagsOfResource", "Scan", "BatchWriteItem"}),
           table});
  }

  const CopyPlan& plan_;
  const PolicyTables& tables_;
  const PolicyQuestion& question_;
  std::vector<Statement> statements_;
};

/// Each group as one statement, with what its members allow together.
std::vector<Statement> merged(const std::vector<Statement>& statements) {
  std::vector<Statement> out;
  for (const Statement& statement : statements) {
    const auto found = std::ranges::find(out, statement.group, &Statement::group);
    if (found == out.end()) {
      out.push_back(statement);
      out.back().sid = statement.group;
      continue;
    }
    for (const std::string& action : statement.actions)
      if (std::ranges::find(found->actions, action) == found->actions.end()) found->actions.push_back(action);
  }
  return out;
}

/// Deals the statements' resources out to as many policies as it takes.
std::vector<std::vector<Statement>> split(const std::vector<Statement>& statements) {
  const std::size_t empty = policy_characters(document_text({}));
  std::vector<std::vector<Statement>> policies(1);
  std::size_t size = empty;
  for (const Statement& statement : statements) {
    Statement head = statement;
    head.resources.clear();
    const std::size_t head_size = policy_characters(statement_text(head)) + 1;  // and a comma
    bool begun = false;
    for (const std::string& resource : statement.resources) {
      const std::size_t more = policy_characters(json_string(resource)) + 1;
      if (size + (begun ? 0 : head_size) + more > kPolicyCharacters && !policies.back().empty()) {
        policies.emplace_back();
        size = empty;
        begun = false;
      }
      if (!begun) {
        policies.back().push_back(head);
        size += head_size;
        begun = true;
      }
      policies.back().back().resources.push_back(resource);
      size += more;
    }
  }
  return policies;
}

/// The longest beginning that all names share, and a star.
std::vector<std::string> common_pattern(const std::vector<std::string>& names) {
  std::string_view shared = names.front();
  for (const std::string_view name : names) {
    const auto apart = std::ranges::mismatch(shared, name).in1;
    shared = shared.substr(0, static_cast<std::size_t>(apart - shared.begin()));
  }
  return {std::string(shared.substr(0, shared.find_first_of("*?"))) + "*"};
}

/// nullopt if a role cannot take so many policies.
std::optional<PolicyDocuments> fitted(const CopyPlan& plan, const PolicyTables& tables,
                                      const PolicyQuestion& question) {
  const std::vector<Statement> statements = PolicyWriter(plan, tables, question).write();
  PolicyDocuments policy{PolicyForm::by_job, {document_text(statements)}};
  if (policy_characters(policy.documents.front()) <= kPolicyCharacters) return policy;
  const std::vector<Statement> compact = merged(statements);
  const std::vector<std::vector<Statement>> parts = split(compact);
  if (parts.size() > kPoliciesPerRole) return std::nullopt;
  policy.form = parts.size() == 1 ? PolicyForm::merged : PolicyForm::split;
  policy.documents.clear();
  for (const std::vector<Statement>& part : parts) policy.documents.push_back(document_text(part));
  return policy;
}

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

std::size_t policy_characters(std::string_view json) {
  return static_cast<std::size_t>(
      std::ranges::count_if(json, [](char c) { return c != ' ' && c != '\n' && c != '\t' && c != '\r'; }));
}

bool reads_paced_by_metrics(const CopyPlan& plan) {
  return plan.source.kind == EndpointKind::dynamodb && !plan.read_rcu_per_s && !plan.read_share;
}

bool writes_paced_by_metrics(const CopyPlan& plan) {
  return plan.target.kind == EndpointKind::dynamodb && !plan.write_wcu_per_s && !plan.write_share;
}

Result<PolicyDocuments> iam_policy(const CopyPlan& plan, const PolicyTables& tables,
                                   const std::optional<PolicyTables>& wider, const PolicyQuestion& question) {
  if (plan.source.kind != EndpointKind::dynamodb && plan.target.kind != EndpointKind::dynamodb)
    return fail(ErrorKind::usage, "neither side is DynamoDB: there is nothing for IAM to allow");
  if (question.jobs.contains(PolicyJob::from_export) && plan.source.kind == EndpointKind::dynamodb &&
      !question.bucket)
    return fail(ErrorKind::usage, "an export needs a bucket: give --bucket NAME");
  if (auto policy = fitted(plan, tables, question)) return *std::move(policy);
  const PolicyTables shared{common_pattern(tables.sources), common_pattern(tables.targets), tables.listed};
  std::optional<PolicyDocuments> policy;
  if (wider) policy = fitted(plan, *wider, question);
  if (!policy) policy = fitted(plan, shared, question);
  if (!policy)
    return fail(ErrorKind::usage,
                fmt::format("no {} policies of {} characters hold this: name fewer keys or jobs",
                            kPoliciesPerRole, kPolicyCharacters));
  policy->form = PolicyForm::widened;
  return *std::move(policy);
}

Result<PolicyDocuments> iam_policy(const CopyPlan& plan, const PolicyQuestion& question) {
  return iam_policy(plan, {{plan.source.table}, {plan.target.table}}, std::nullopt, question);
}

}  // namespace messina::plan

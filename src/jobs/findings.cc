#include "jobs/findings.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

namespace messina::jobs {
namespace {

/// Signatures are refused beyond a quarter of an hour, and expiring credentials live short before that.
constexpr std::chrono::milliseconds kMuch{60'000};

/// What cures a call that was answered with this.
std::string fix_of(const Error& error) {
  if (error.code == "UnknownOperationException")
    return "nothing to do where something stands in for DynamoDB; AWS knows the call, so check the address";
  switch (error.kind) {
    case ErrorKind::denied:
      return "allow it: `messina policy` prints the policy";
    case ErrorKind::expired:
      return "get new credentials, or set the clock right if the message names it";
    case ErrorKind::not_found:
      return "check the name, the region and the account";
    case ErrorKind::config:
      return "check the address and the settings that the message names";
    default:
      return "check the address, the network between, and a proxy; then check again";
  }
}

std::string seconds_text(std::chrono::milliseconds time) {
  return fmt::format("{:.1f} s", static_cast<double>(time.count()) / 1000);
}

}  // namespace

std::string_view to_string(Finding::Level level) {
  switch (level) {
    case Finding::Level::ok:
      return "ok";
    case Finding::Level::note:
      return "note";
    case Finding::Level::stop:
      return "stop";
  }
  return "stop";
}

std::optional<endpoints::TableDescription> SideFacts::whole_table() const {
  if (!described || !*described) return std::nullopt;
  endpoints::TableDescription table = (*described)->table;
  if (time_to_live && *time_to_live) table.ttl_attribute = **time_to_live;
  if (tags && *tags) table.tags = **tags;
  return table;
}

void SideFacts::share(const SideFacts& other) {
  const auto take = [](auto& mine, const auto& theirs) {
    if (!mine && theirs) mine.emplace(*theirs);
  };
  take(server, other.server);
  take(nodes, other.nodes);
  take(version, other.version);
  take(caller, other.caller);
  take(quotas, other.quotas);
  take(metrics, other.metrics);
  take(listed, other.listed);
}

std::vector<Finding> take_for_all(std::vector<std::vector<Finding>>& tables) {
  std::vector<Finding> common;
  std::set<std::pair<std::string, std::string>> seen;
  for (std::vector<Finding>& findings : tables) {
    for (const Finding& finding : findings)
      if (finding.for_all && seen.emplace(finding.side, finding.id).second) common.push_back(finding);
    std::erase_if(findings, [](const Finding& finding) { return finding.for_all; });
  }
  return common;
}

Made& Made::operator+=(const Made& other) {
  tables += other.tables;
  indexes += other.indexes;
  tags += other.tags;
  lines.insert(lines.end(), other.lines.begin(), other.lines.end());
  return *this;
}

bool FindingWriter::call(std::string id, std::string action, const Error* error, Finding::Level level,
                         std::string consequence, std::string fix) {
  if (!iam_) action.erase(0, action.find(':') + 1);
  Finding finding{Finding::Level::ok, side_, std::move(id), std::move(action), {}, {}, for_all_};
  if (error == nullptr) {
    finding.text = finding.call + " is allowed";
  } else {
    finding.level = level;
    finding.text = consequence.empty() ? error->message : fmt::format("{}: {}", consequence, error->message);
    finding.fix = fix_of(*error);
    if (error->kind == ErrorKind::denied && !iam_)
      finding.fix =
          "check the role and its secret; on ScyllaDB: GRANT SELECT, MODIFY on the table's keyspace";
    if (!fix.empty()) finding.fix = std::move(fix);
  }
  findings_.push_back(std::move(finding));
  return error == nullptr;
}

void judge_clock(FindingWriter& out, const SideFacts& side, std::chrono::milliseconds clock_error) {
  if (side.server && *side.server && (*side.server)->clock_ahead) {
    const auto& server = **side.server;
    const auto uncertain = endpoints::kDateError + server.round_trip / 2;
    if (std::chrono::abs(*server.clock_ahead) > kMuch + uncertain) {
      out.note("clock",
               fmt::format("its clock and this machine's are {} apart",
                           seconds_text(std::chrono::abs(*server.clock_ahead))),
               "set this machine's clock by NTP: signatures of a wrong time are refused");
    } else {
      out.ok("clock", "its clock and this machine's agree within a minute");
    }
  }
  if (!side.nodes || !*side.nodes || (*side.nodes)->size() < 2) return;
  const endpoints::ServerSeen *first = nullptr, *last = nullptr;
  for (const endpoints::NodeSeen& node : **side.nodes) {
    if (!node.server || !node.server->clock_ahead) continue;
    const endpoints::ServerSeen& seen = *node.server;
    if (first == nullptr || seen.clock_ahead < first->clock_ahead) first = &seen;
    if (last == nullptr || seen.clock_ahead > last->clock_ahead) last = &seen;
  }
  if (first == nullptr) return;
  const auto apart = *last->clock_ahead - *first->clock_ahead;
  const auto uncertain = 2 * endpoints::kDateError + first->round_trip / 2 + last->round_trip / 2;
  if (apart > clock_error + uncertain) {
    out.stop(
        "clock_nodes",
        fmt::format("the clocks of {} and {} are {} apart, and --clock-error says {} at most: a late write "
                    "could win over a newer one",
                    first->host, last->host, seconds_text(apart), seconds_text(clock_error)),
        "run NTP on every node, or give the truth with --clock-error");
  } else {
    out.ok("clock_nodes", fmt::format("the clocks of its nodes agree within {} and what can be seen of it",
                                      seconds_text(clock_error)));
  }
}

void judge_caller(FindingWriter& out, const SideFacts& side) {
  if (!side.caller) return;
  if (*side.caller) {
    out.ok("caller", fmt::format("requests are signed for {}", (*side.caller)->arn));
  } else {
    out.call("caller", "sts:GetCallerIdentity", &side.caller->error(), Finding::Level::note,
             "who asks is unknown");
  }
}

void judge_metrics(FindingWriter& out, const SideFacts& side, std::string_view flag) {
  if (!side.metrics) return;
  const bool nobody_to_ask = !*side.metrics && side.metrics->error().kind == ErrorKind::config;
  out.call(
      "metrics", "cloudwatch:GetMetricData", side.metrics, Finding::Level::note,
      "what the application uses is unknown, so the copy takes a quarter of the capacity, or 10 to 50 % of "
      "what an on-demand table bears",
      fmt::format("{}, or give {}",
                  nobody_to_ask ? "set AWS_ENDPOINT_URL_CLOUDWATCH if there is one"
                                : "allow it (`messina policy` prints the policy)",
                  flag));
}

void judge_transport(FindingWriter& out, const SideFacts& side, std::string_view side_name) {
  if (side.insecure_tls) {
    out.note("tls", "its certificate is not checked",
             fmt::format("give --{0}-ca-file with its CA, and leave --{0}-insecure-tls out", side_name));
  } else if (!side.tls && side.with_credentials && (side.alternator || side.real_aws)) {
    out.note("tls", "it is reached without TLS: items cross the network in the clear",
             side.alternator ? "use alternators:// where the network is not yours alone" : "use https://");
  }
}

bool version_at_least(std::string_view version, int major, int minor) {
  int numbers[2] = {0, 0};
  const char* at = version.data();
  const char* const end = version.data() + version.size();
  for (int& number : numbers) {
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc()) return false;
    at = next;
    if (at != end && *at == '.') ++at;
  }
  return std::pair(numbers[0], numbers[1]) >= std::pair(major, minor);
}

std::vector<Finding> judge(const CheckFacts& facts) {
  std::vector<Finding> findings;
  judge_source(facts, findings);
  judge_target(facts, findings);
  judge_move(facts, findings);
  judge_machine(facts, findings);
  return findings;
}

}  // namespace messina::jobs

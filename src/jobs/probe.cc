#include "jobs/probe.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "jobs/retry.h"

namespace messina::jobs {
namespace {

using endpoints::Inspect;

/// As the pace looks back; here only the leave to look is of interest.
constexpr auto kMetricsOf = std::chrono::minutes(6);

/// The calls to one side, one after the other: a check is in no hurry, and a quiet source stays quiet.
class Prober {
 public:
  /// `side`: "the source" or "the target".
  Prober(std::string side, Loop& loop, endpoints::Endpoint& endpoint, SideFacts& facts, Stop* stop)
      : side_(std::move(side)),
        loop_(loop),
        server_(*endpoint.inspect),
        capacity_(endpoint.capacity.get()),
        facts_(facts),
        stop_(stop),
        random_(static_cast<std::uint64_t>(loop.now().time_since_epoch().count())) {}

  Task<void> source();
  Task<void> target(const item::KeySchema* source_key);

 private:
  /// One of the server's questions, with the arguments given, into `answer`.
  template <class T, class... Parameters, class... Arguments>
  Task<void> ask(Asked<T>& answer, Task<Result<T>> (Inspect::*question)(Parameters...),
                 Arguments... arguments) {
    // Known already, from another table of this side.
    if (answer || (stop_ != nullptr && stop_->requested())) co_return;
    auto attempt = [this, question, arguments...] { return (server_.*question)(arguments...); };
    Result<T> result = co_await with_retries<T>(loop_, stop_, random_, attempt, kAskAndEnd);
    answer.emplace(std::move(result));
  }
  /// Whether the side can be spoken to, and what is the same for all of its tables.
  Task<bool> contact();
  Task<void> metrics();
  Task<void> streams();
  /// The same for an answer that holds for all tables of the side, so that its error names none of them.
  template <class T, class... Parameters>
  Task<void> ask_for_all(Asked<T>& answer, Task<Result<T>> (Inspect::*question)(Parameters...)) {
    const bool known = answer.has_value();
    co_await ask(answer, question);
    if (!known && answer && !*answer) answer->error() = of_side(answer->error());
  }
  Error of_side(Error error) const;

  const std::string side_;
  Loop& loop_;
  Inspect& server_;
  endpoints::Capacity* capacity_;  ///< null: no capacity units
  SideFacts& facts_;
  Stop* stop_;
  Random random_;
};

Error Prober::of_side(Error error) const {
  const std::string table = fmt::format("table \"{}\" (", facts_.table_name);
  for (auto at = error.message.find(table); at != std::string::npos; at = error.message.find(table, at))
    error.message.replace(at, table.size(), side_ + " (");
  return error;
}

Task<bool> Prober::contact() {
  co_await ask_for_all(facts_.server, &Inspect::server);
  if (!facts_.server || !*facts_.server) co_return false;
  if (facts_.alternator) {
    co_await ask_for_all(facts_.nodes, &Inspect::nodes);
    co_await ask_for_all(facts_.version, &Inspect::version);
  } else if (facts_.with_credentials) {
    co_await ask_for_all(facts_.caller, &Inspect::caller);
  }
  co_await metrics();
  co_await ask(facts_.described, &Inspect::describe);
  co_return true;
}

Task<void> Prober::metrics() {
  if (!facts_.paced_by_metrics || capacity_ == nullptr || facts_.metrics) co_return;
  if (stop_ != nullptr && stop_->requested()) co_return;
  const WallTime to = std::chrono::floor<std::chrono::minutes>(loop_.wall());
  const WallTime from = to - kMetricsOf;
  const auto attempt = [this, from, to] { return capacity_->consumed(from, to); };
  using Periods = std::vector<endpoints::Consumption>;
  const Result<Periods> periods = co_await with_retries<Periods>(loop_, stop_, random_, attempt, kAskAndEnd);
  if (periods) {
    facts_.metrics.emplace(periods->size());
  } else {
    facts_.metrics.emplace(fail(of_side(periods.error())));
  }
}

Task<void> Prober::source() {
  const bool answers = co_await contact();
  if (answers && !facts_.alternator) co_await ask_for_all(facts_.quotas, &Inspect::quotas);
  if (!answers || !facts_.described || !*facts_.described) co_return;
  const endpoints::TableSeen seen = **facts_.described;
  co_await ask(facts_.scan_one, &Inspect::scan_one);
  co_await ask(facts_.get_absent, &Inspect::get_absent, seen.table.key);
  co_await ask(facts_.time_to_live, &Inspect::time_to_live);
  if (!seen.table.arn.empty()) co_await ask(facts_.tags, &Inspect::tags, seen.table.arn);
  if (!facts_.alternator) {
    co_await ask(facts_.recovery, &Inspect::point_in_time_recovery);
    co_await ask(facts_.kinesis, &Inspect::kinesis_destinations);
    co_await ask(facts_.resource_policy, &Inspect::resource_policy, seen.table.arn);
    if (const auto& key = seen.details.encryption_key_arn; !key.empty())
      co_await ask(facts_.key, &Inspect::encryption_key, key);
  }
  co_await streams();
}

Task<void> Prober::streams() {
  // Also without a stream: it shows whether the Streams endpoint, which has an address of its own, can be
  // reached.
  co_await ask(facts_.streams, &Inspect::streams);
  const endpoints::TableSeen seen = **facts_.described;
  if (!seen.table.stream_view_type || seen.details.stream_arn.empty()) co_return;
  co_await ask(facts_.stream, &Inspect::stream, seen.details.stream_arn);
  if (!facts_.stream || !*facts_.stream || (*facts_.stream)->first_shard.empty()) co_return;
  const endpoints::StreamSeen stream = **facts_.stream;
  co_await ask(facts_.shard_iterator, &Inspect::shard_iterator, stream);
  if (!facts_.shard_iterator || !*facts_.shard_iterator) co_return;
  const std::string iterator = **facts_.shard_iterator;
  co_await ask(facts_.records, &Inspect::records, iterator);
}

Task<void> Prober::target(const item::KeySchema* source_key) {
  const bool answers = co_await contact();
  if (!answers || !facts_.described) co_return;
  if (facts_.missing()) {
    // ScyllaDB says what it lacks before it asks who may: the answer would tell nothing.
    if (!facts_.alternator) co_await ask(facts_.refused_create, &Inspect::refused_create);
    co_return;
  }
  // Without leave to describe, the source's key is the best guess of what is no key.
  const bool described = facts_.described->has_value();
  if (!described && source_key == nullptr) co_return;
  const item::KeySchema key = described ? (*facts_.described)->table.key : *source_key;
  co_await ask(facts_.refused_write, &Inspect::refused_write, key);
  if (!described) co_return;
  const std::string arn = (*facts_.described)->table.arn;
  co_await ask(facts_.scan_one, &Inspect::scan_one);
  co_await ask(facts_.time_to_live, &Inspect::time_to_live);
  if (!arn.empty()) co_await ask(facts_.tags, &Inspect::tags, arn);
}

}  // namespace

Task<void> probe(Loop& loop, endpoints::Endpoint& source, endpoints::Endpoint& target, CheckFacts* facts,
                 Stop* stop) {
  Prober source_prober("the source", loop, source, facts->source, stop);
  co_await source_prober.source();
  const auto& described = facts->source.described;
  const item::KeySchema* key = described && *described ? &(*described)->table.key : nullptr;
  Prober target_prober("the target", loop, target, facts->target, stop);
  co_await target_prober.target(key);
}

}  // namespace messina::jobs

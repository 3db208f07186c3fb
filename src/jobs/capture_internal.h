// The inside of a capture; private to src/jobs/capture*.cc.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "jobs/capture.h"
#include "jobs/capture_records.h"
#include "jobs/rate_window.h"
#include "jobs/retry.h"
#include "jobs/task_group.h"

namespace messina::jobs {

/// Coroutines run on the context's loop. What other threads look at is under `mutex`; the loop itself reads
/// it without, as nobody else writes it.
struct Capture::State {
  State(const Context& context, const CaptureOptions& options);

  // ------------------------------------------------------------------ capture_begin.cc
  Task<Result<void>> begin();
  /// After the stream has ended: waits for another one and begins an epoch with it.
  Task<Result<void>> renew();
  /// The table's stream, once it is enabled.
  Task<Result<endpoints::StreamDescription>> find_stream(Patience patience);
  /// Goes on from the spool's positions, or begins an epoch.
  Task<Result<void>> take_up(endpoints::StreamDescription stream);
  void read_records_since(std::int64_t began_unix_ms);
  Task<Result<void>> begin_epoch(endpoints::StreamDescription stream, std::vector<state::ShardPosition> old);

  // ------------------------------------------------------------------ capture_follow.cc
  Task<Result<void>> follow();
  static Task<void> keep_listing(State& self);
  /// Lists the shards, unless that was done after `newer_than`, and starts to read what is new.
  Task<Result<void>> list(std::optional<MonoTime> newer_than);
  void start_readers();
  /// The stream tells nothing any more.
  Task<Result<void>> end_stream();
  void end_with(const Error& error);

  // ------------------------------------------------------------------ capture_read.cc
  struct Reader;
  static Task<void> read_shard(State& self, endpoints::ShardId shard);
  /// One poll, its records put; false: the reader is done.
  Task<Result<bool>> poll(Reader& reader);
  Task<Result<bool>> recover(Reader& reader, const Error& error);
  Task<Result<void>> take_page(Reader& reader, endpoints::FeedPage page, AsyncSemaphore::Lease& lease);
  Task<Result<void>> find_children(const endpoints::ShardId& parent);
  Result<void> read_records(const endpoints::FeedPage& page, state::SpoolBatch& batch, PollSeen& seen);
  bool has_caught_up(const Reader& reader) const;
  void note_poll(const Reader& reader, const PollSeen& seen, MonoTime sent_at);

  // ------------------------------------------------------------------ capture_store.cc
  /// Gaps into the ledger, then the rest into the spool.
  Task<Result<void>> store(ShardMap::Step step, state::SpoolBatch& batch);
  Task<Result<void>> put(const state::SpoolBatch& batch);
  Task<Result<void>> declare(std::vector<state::GapRecord> gaps);
  /// Makes `call` until the spool has room.
  template <class T, class Call>
  Task<Result<T>> with_room(Call call);

  /// One request, made until it is answered for good, the patience ends, or a stop.
  template <class T, class Attempt>
  Task<Result<T>> ask(const std::string& who, Attempt attempt, Patience patience = kOutlastOutages);
  void failed_once(const std::string& who, const Error& error);
  void succeeded(const std::string& who);

  Stop* stop() const { return halt ? halt.get() : context.stop; }
  /// The server's clock, as far as it is known.
  WallTime server_now() const {
    return context.loop->wall() + std::chrono::duration_cast<WallTime::duration>(server_ahead);
  }
  void heard_from_server(WallTime answered_at);
  /// Changes the map; of no use to anybody until it is stored.
  template <class Change>
  ShardMap::Step change_map(Change change) {
    const std::lock_guard lock(mutex);
    return change(map);
  }

  const Context context;
  const CaptureOptions options;
  endpoints::Feed* const feed;
  const endpoints::FeedLimits limits;
  const std::chrono::seconds margin;
  Random random;

  // Of the epoch.
  endpoints::StreamArn arn;
  std::uint64_t epoch = 0;
  std::string domain;  ///< whose images the spool keeps; empty: none's
  std::optional<RecordReader> records;
  std::string ended;                         ///< the stream whose end is told already
  std::set<endpoints::ShardId> from_latest;  ///< CaptureFaults::begin_at_latest

  AsyncSemaphore memory;
  /// Whoever changes which shards are read holds it until that is stored: so a child's position is never
  /// durable before its parent's end.
  AsyncSemaphore lineage{1};
  TaskGroup tasks;
  std::set<endpoints::ShardId> being_read;
  /// Stops the epoch's coroutines, whatever the reason. Set while follow() reads.
  std::shared_ptr<Stop> halt;
  std::optional<Error> failed;
  bool stream_over = false;

  mutable std::mutex mutex;
  ShardMap map;
  std::optional<endpoints::StreamDescription> listing;
  struct Polled {
    MonoTime sent_at{};
    MonoTime whole_until{};  ///< what was written before is in the spool
    std::chrono::seconds behind{0};
  };
  std::map<endpoints::ShardId, Polled> polled;
  CaptureFigures seen;
  std::set<std::string> failing;
  mutable RateWindow rate;
  Duration server_ahead{};
  bool losing_a_shard = false;  ///< it counts as drained already, and its gap is on its way to the ledger
};

/// A shard that is being read.
struct Capture::State::Reader {
  endpoints::ShardId shard;
  std::string iterator;  ///< empty: one is to be asked for
  MonoTime next_poll{};
  std::uint32_t empty_polls = 0;  ///< in a row
  struct Empty {
    MonoTime sent_at{};
    WallTime answered_at{};
  };
  std::deque<Empty> empties;  ///< the newest of these, as many as it takes to have caught up
  std::int64_t expected_bytes = 0;
  std::optional<endpoints::SequenceNumber> read_to;
  MonoTime stored_at{}, synced_at{};  ///< its position
};

template <class T, class Attempt>
Task<Result<T>> Capture::State::ask(const std::string& who, Attempt attempt, Patience patience) {
  const MonoTime began = context.loop->now();
  Retry retry(pace::kStreamsThrottlingBackoff);
  for (;;) {
    Task<Result<T>> task = attempt();
    Result<T> answer = co_await std::move(task);
    if (answer) {
      if (retry.failures() != 0) succeeded(who);
      co_return answer;
    }
    Duration pause{};
    if (!retry.again(answer.error(), random, pause)) {
      if (retry.failures() > 1) succeeded(who);
      co_return answer;
    }
    failed_once(who, answer.error());
    const bool enough = patience.attempts != 0 && retry.failures() >= patience.attempts;
    if (enough || context.loop->now() - began + pause > patience.longest) co_return answer;
    co_await context.loop->sleep_for(pause, stop());
    if (stop()->requested()) {
      co_return fail(ErrorKind::stopped, "stopped while waiting to try again: " + answer.error().message);
    }
  }
}

template <class T, class Call>
Task<Result<T>> Capture::State::with_room(Call call) {
  for (;;) {
    Task<Result<T>> task = call();
    Result<T> answer = co_await std::move(task);
    const bool full = !answer && state::is_spool_full(answer.error());
    if (full || seen.spool_full) {
      const std::lock_guard lock(mutex);
      seen.spool_full = full;
    }
    if (answer) co_return answer;
    const auto pause = put_again_after(answer.error());
    if (!pause) co_return answer;
    co_await context.loop->sleep_for(*pause, stop());
    if (stop()->requested()) co_return fail(ErrorKind::stopped, "stopped while the spool had no room");
  }
}

}  // namespace messina::jobs

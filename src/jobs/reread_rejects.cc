#include "jobs/reread_rejects.h"

#include <set>
#include <utility>

#include "base/log.h"

namespace messina::jobs {

namespace {

/// Rejects that are read together: each has an item of up to 400 KB.
constexpr std::size_t kPortion = 100;
/// Until a spool that has no room is asked again.
constexpr Duration kRoomPause = std::chrono::seconds(1);

}  // namespace

Task<Result<void>> put_marks(Loop& loop, state::SpoolStore& spool, std::vector<std::string> keys,
                             Stop* stop) {
  state::SpoolBatch batch;
  batch.captured = loop.now();
  batch.puts.reserve(keys.size());
  for (std::string& key : keys) {
    state::SpoolPut put;
    put.key = std::move(key);
    put.changed_unix_ms = 0;
    batch.puts.push_back(std::move(put));
  }
  for (;;) {
    const Result<state::PutAnswer> answer = co_await spool.put(batch);
    if (answer) co_return Result<void>();
    const bool later = state::is_spool_full(answer.error()) || answer.error().kind == ErrorKind::busy;
    if (!later || (stop != nullptr && stop->requested())) co_return fail(answer.error());
    co_await loop.sleep_for(kRoomPause, stop);
  }
}

Task<Result<std::uint64_t>> reread_rejects(Loop& loop, state::JobStore& store, state::SpoolStore& spool,
                                           const item::KeySchema& source_key, Stop* stop) {
  std::set<std::string> seen;
  state::RejectFilter filter;
  filter.limit = kPortion;
  for (;;) {
    const Result<std::vector<state::Reject>> rejects = co_await store.rejects(filter);
    if (!rejects) co_return fail(rejects.error());
    if (rejects->empty()) co_return seen.size();
    if (stop != nullptr && stop->requested())
      co_return fail(ErrorKind::stopped, "stopped before all rejects were marked: run it again to go on");
    std::vector<std::string> keys;
    for (const state::Reject& reject : *rejects) {
      Result<std::string> key = item::key_text(reject.item, source_key);
      if (!key) {
        log::warn("reject {} names no key of the source's table ({}): it is left as it is", reject.id,
                  key.error().message);
        continue;
      }
      if (seen.insert(*key).second) keys.push_back(std::move(*key));
    }
    if (!keys.empty()) {
      const Result<void> put = co_await put_marks(loop, spool, std::move(keys), stop);
      if (!put) co_return fail(put.error());
    }
    filter.after_id = rejects->back().id;
  }
}

}  // namespace messina::jobs

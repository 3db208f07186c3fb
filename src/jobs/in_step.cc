#include "jobs/in_step.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace messina::jobs {

namespace {

/// Within this the applier has looked at the spool anew, which it does once a second.
constexpr Duration kSeenAnew = std::chrono::seconds(2);

std::string seconds(std::chrono::milliseconds time) {
  return fmt::format("{:.1f} s", std::chrono::duration<double>(time).count());
}

bool fresh(const std::optional<MonoTime>& at, MonoTime now) { return at && now - *at < kClaimFresh; }

}  // namespace

std::vector<std::string> not_in_step_because(const StepFacts& facts, MonoTime now,
                                             std::chrono::milliseconds allowed_lag) {
  std::vector<std::string> reasons;
  const auto add = [&reasons](bool stands_against, std::string reason) {
    if (stands_against) reasons.push_back(std::move(reason));
  };
  const auto count = [](std::uint64_t n, std::string_view one, std::string_view many) {
    return n == 1 ? std::string(one) : fmt::format("{} {}", n, many);
  };
  add(facts.gaps > 0, count(facts.gaps, "changes were missed (a gap)", "gaps: changes were missed"));
  add(!facts.history_done, "history is not all copied");
  add(facts.backward_owed, "keys that only the target has were not looked for");
  add(!facts.capturing, "changes are not captured");
  add(!facts.applying, "changes are not applied");
  add(!facts.owner_unseen.empty(), facts.owner_unseen);
  add(facts.live_rejects > 0,
      count(facts.live_rejects, "an item was refused by the target", "items were refused by the target"));
  add(facts.unknown_outcomes > 0,
      count(facts.unknown_outcomes, "a write has had no answer", "writes have had no answer"));
  if (facts.capturing) {
    add(!fresh(facts.listed_at, now),
        fmt::format("the stream's shards were not listed within {} s", kClaimFresh.count()));
    add(!fresh(facts.polled_at, now),
        fmt::format("not every open shard has answered within {} s", kClaimFresh.count()));
    add(!facts.closed_drained, "a shard that is closed is not read to its end");
    add(facts.behind > allowed_lag, fmt::format("the newest records read are {} old", seconds(facts.behind)));
  }
  if (facts.oldest_entry == std::chrono::milliseconds::max())
    reasons.emplace_back("changes of unknown age wait");
  else if (facts.oldest_entry && *facts.oldest_entry > allowed_lag)
    reasons.push_back(fmt::format("the oldest change that waits is {} old", seconds(*facts.oldest_entry)));
  return reasons;
}

bool but_for_rejects(const StepFacts& facts, const std::vector<std::string>& against) {
  return against.empty() || (against.size() == 1 && facts.live_rejects > 0);
}

std::optional<MonoTime> complete_until(const StepFacts& facts, const std::vector<std::string>& against,
                                       MonoTime now) {
  if (!but_for_rejects(facts, against) || !facts.whole_until) return std::nullopt;
  MonoTime until = std::min(*facts.whole_until, now - kSeenAnew);
  if (facts.oldest_entry) until = std::min<MonoTime>(until, now - *facts.oldest_entry);
  return until;
}

bool EndInStep::may_end(bool in_step, std::optional<MonoTime> complete, MonoTime now) {
  if (!in_step) return false;
  if (!first_) first_ = now;
  return complete && *complete > *first_;
}

}  // namespace messina::jobs

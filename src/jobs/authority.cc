#include "jobs/authority.h"

#include <charconv>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "jobs/retry.h"

namespace messina::jobs {

namespace {

using endpoints::TableDescription;

/// "TagResource … is an asynchronous operation": what was put can be seen "within a few seconds" (Amazon
/// DynamoDB API Reference, TagResource and ListTagsOfResource). Looked for so long and so often.
constexpr Duration kLookFor = std::chrono::seconds(60);
constexpr Duration kLookEvery = std::chrono::seconds(1);

std::string told(const state::Authority& authority) {
  return fmt::format("owner {}, epoch {}", authority.owner, authority.epoch);
}

}  // namespace

state::Authority new_authority(Random& random) { return {fmt::format("{:016x}", random.next()), 1}; }

std::optional<state::Authority> authority_on(const TableDescription& target) {
  const auto owner = target.tags.find(kOwnerTag);
  if (owner == target.tags.end()) return std::nullopt;
  state::Authority authority{owner->second, 0};
  if (const auto epoch = target.tags.find(kEpochTag); epoch != target.tags.end()) {
    const std::string& text = epoch->second;
    std::from_chars(text.data(), text.data() + text.size(), authority.epoch);
  }
  return authority;
}

Result<void> check_authority(const std::optional<state::Authority>& on_target, const state::Authority& ours,
                             const std::string& display) {
  if (!on_target || *on_target == ours) return {};
  if (on_target->owner == ours.owner) {
    return fail(ErrorKind::needs_person,
                fmt::format("{} carries this migration's owner with another epoch ({}; ours is {}): this "
                            "state directory is older than the one that wrote to it last. Use the newer "
                            "--state; if it is lost, take the target over with --take-over",
                            display, on_target->epoch, ours.epoch));
  }
  return fail(ErrorKind::needs_person,
              fmt::format("{} belongs to another migration ({}; ours is {}): stop that one and use its "
                          "--state, or take the table over from it with --take-over",
                          display, told(*on_target), told(ours)));
}

Result<state::Authority> choose_authority(const std::optional<state::Authority>& on_target,
                                          const state::Authority& recorded, bool take_over,
                                          const std::string& display, Random& random) {
  state::Authority ours = recorded.owner.empty() ? new_authority(random) : recorded;
  const Result<void> free = check_authority(on_target, ours, display);
  if (free) return ours;
  if (!take_over || !on_target) return fail(free.error());
  ours.epoch = on_target->epoch + 1;
  return ours;
}

std::map<std::string, std::string> tags_of(const state::Authority& authority) {
  return {{kOwnerTag, authority.owner}, {kEpochTag, std::to_string(authority.epoch)}};
}

Task<Result<void>> outwait_former_owner(Loop& loop, ProgressBoard& board, Stop* stop) {
  Progress waiting = board.snapshot();
  waiting.phase = "waiting";
  waiting.holder_detail = fmt::format(
      "the migration that the target was taken from may write for {} s more, unless it was stopped",
      std::chrono::duration_cast<std::chrono::seconds>(kFormerOwnerLeaves).count());
  board.publish(waiting);
  const MonoTime until = loop.now() + kFormerOwnerLeaves;
  co_await loop.sleep_until(until, stop);
  if (loop.now() < until) co_return fail(ErrorKind::stopped, "stopped before the first write");
  co_return Result<void>();
}

Task<Result<void>> claim_target(Loop& loop, endpoints::Endpoint& target, Stop* stop, Random& random,
                                const state::Authority& ours, const std::optional<state::Authority>& before) {
  const std::map<std::string, std::string> tags = tags_of(ours);
  endpoints::Catalog* catalog = target.catalog.get();
  auto put = [catalog, &tags] { return catalog->tag(tags); };
  const Result<void> tagged = co_await with_retries<void>(loop, stop, random, put);
  if (!tagged) co_return fail(tagged.error());
  const MonoTime began = loop.now();
  auto look = [catalog] { return catalog->describe(nullptr); };
  for (;;) {
    Result<TableDescription> seen = co_await with_retries<TableDescription>(loop, stop, random, look);
    if (!seen) co_return fail(seen.error());
    const std::optional<state::Authority> there = authority_on(*seen);
    const bool late = loop.now() - began > kLookFor;
    if (there && (there != before || late)) co_return check_authority(there, ours, target.display);
    if (late) {
      co_return fail(ErrorKind::config,
                     fmt::format("{} does not show the tags {} and {} that were put there {} s ago, by which "
                                 "two migrations are kept from writing to it: is dynamodb:ListTagsOfResource "
                                 "allowed?",
                                 target.display, kOwnerTag, kEpochTag,
                                 std::chrono::duration_cast<std::chrono::seconds>(kLookFor).count()));
    }
    co_await loop.sleep_for(kLookEvery, stop);
    if (stop != nullptr && stop->requested())
      co_return fail(ErrorKind::stopped, "stopped before the first write");
  }
}

}  // namespace messina::jobs

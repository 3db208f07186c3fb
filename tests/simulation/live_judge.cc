#include "live_judge.h"

#include <chrono>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "jobs/in_step.h"

namespace messina::simulation {

namespace {

using namespace std::chrono_literals;
using Content = SourceHistory::Content;

void broken(const LiveCase& of, std::string text) {
  of.world->violate(Violation::Kind::broken_rule, std::move(text));
}
void wrong(const LiveCase& of, std::string text) {
  of.world->violate(Violation::Kind::wrong_end, std::move(text));
}

std::string text(const Content& content) {
  return content ? std::to_string(*content) : std::string("not there");
}

std::set<KeyId> live_rejects(const LiveCase& of) {
  std::set<KeyId> keys;
  for (const state::Reject& reject : of.disk->rejects) {
    if (reject.live) keys.insert(parse_key(reject.item));
  }
  return keys;
}

bool left_out(const LiveCase& of, KeyId key) {
  return key < of.world->plan().keys && of.options->copy.skip_segments.contains(of.world->segment_of(key));
}

/// Changes may have been missed, or are not known to have been captured.
bool missed(const LiveCase& of) {
  return of.after_other || !of.disk->gap_causes.empty() || of.disk->job->live.capture_epoch > 1;
}

/// Of a segment that is left out: what changed since the capture began is on the target all the same, unless
/// it was missed.
bool is_nobodys(const LiveCase& of, KeyId key, const Content& target) {
  const bool known = !target || *target >= kForeign || of.history->ever_held(key, target);
  return known && (missed(of) || !of.captures_since || !of.history->changed_since(key, *of.captures_since));
}

/// Of what the source does not have, without leave: somebody else's, or deleted while changes were missed.
bool may_stay(const LiveCase& of, KeyId key, const Content& target) {
  return *target >= kForeign || (missed(of) && of.history->ever_held(key, target));
}

}  // namespace

void judge_claim(const LiveCase& of, const jobs::MigrateSummary& summary, MonoTime claimed_at) {
  const World& world = *of.world;
  if (of.disk->job->live.gap()) broken(of, "it says that it is in step, but there is a gap");
  const std::set<KeyId> rejected = live_rejects(of);
  if (summary.live_rejects != rejected.size())
    broken(of, fmt::format("it tells of {} live rejects, but there are {}", summary.live_rejects,
                           rejected.size()));
  if (summary.live.in_step != rejected.empty()) broken(of, "it is in step with live rejects");
  // Polls may be so old, and hold what happened before them only; the server's clock tells whole seconds, and
  // the applier looks at its spool once a second.
  const Duration age = of.options->allowed_lag + jobs::kClaimFresh + of.lateness + 3s;
  for (KeyId key = 0; key < world.plan().keys; ++key) {
    if (rejected.contains(key) || left_out(of, key)) continue;
    const Content target = world.on_target(key);
    if (!of.history->held_since(key, target, claimed_at - age))
      wrong(of, fmt::format("item {} is {} on the target at a claim of being in step, which the source had "
                            "not for longer than {} s",
                            key, text(target), std::chrono::duration<double>(age).count()));
  }
  for (KeyId key = world.plan().keys; key < world.all_keys(); ++key) {
    if (world.on_target(key)) wrong(of, fmt::format("extra item {} is on the target at a claim", key));
  }
}

void judge_end(const LiveCase& of) {
  const World& world = *of.world;
  const bool without_leave = of.disk->job->live.backward == state::BackwardPass::owed;
  if (of.disk->job->live.gap() && !without_leave) broken(of, "there is a gap although it was healed");
  for (const state::Reject& reject : of.disk->rejects) {
    if (!reject.live) continue;
    const KeyId key = parse_key(reject.item);
    const bool removal = reject.item == key_json(key);
    if (!removal && !world.source_state(key).there)
      wrong(of, fmt::format("item {} is gone and its reject is live", key));
  }
  const std::set<KeyId> rejected = live_rejects(of);
  for (KeyId key = 0; key < world.all_keys(); ++key) {
    const Content source = SourceHistory::content(world.source_state(key));
    const Content target = world.on_target(key);
    if (rejected.contains(key) || target == source) continue;
    if (left_out(of, key) && is_nobodys(of, key, target)) continue;
    if (without_leave && !source && may_stay(of, key, target)) continue;
    wrong(of, fmt::format("item {}: {} on the source, {} on the target", key, text(source), text(target)));
  }
  for (KeyId key = world.plan().keys; without_leave && key < world.all_keys(); ++key) {
    if (!world.on_target(key)) wrong(of, fmt::format("item {} was somebody else's, and is gone", key));
  }
}

}  // namespace messina::simulation

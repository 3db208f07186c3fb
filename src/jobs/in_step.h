// Whether the target is in step with the source: computed, never stored (PROTOCOL rule 16). Pure.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace messina::jobs {

/// What a claim rests on, at one instant.
struct StepFacts {
  bool history_done = false;   ///< every unit, under the present and unbroken capture epoch
  bool backward_owed = false;  ///< the pass for extra keys is still to be made
  std::uint64_t gaps = 0;
  std::uint64_t unknown_outcomes = 0;
  std::string owner_unseen;  ///< why nothing is written: who owns the target was not to be seen for too long
  std::uint64_t live_rejects = 0;
  bool capturing = false, applying = false;
  std::optional<MonoTime> listed_at;  ///< the newest complete listing was asked for
  std::optional<MonoTime> polled_at;  ///< the oldest of the open shards' newest answered polls
  bool closed_drained = false;
  std::optional<MonoTime> whole_until;  ///< what was written before is in the spool
  std::chrono::seconds behind{0};       ///< the newest polls brought records as old as this
  /// Age of the spool's oldest change; absent: there is none. max(): there is one of unknown age. Looked at
  /// after all that the rest says of the capture and of the backward pass.
  std::optional<std::chrono::milliseconds> oldest_entry;
};

/// Listings and polls count for this long.
inline constexpr std::chrono::seconds kClaimFresh{30};

/// What stands against it, in words for people, most telling first; empty: in step. `allowed_lag`: what the
/// oldest entry and the newest records may be old.
std::vector<std::string> not_in_step_because(const StepFacts& facts, MonoTime now,
                                             std::chrono::milliseconds allowed_lag);

/// Whether nothing but items that the target refused stands against it: `against` is what stands against it.
bool but_for_rejects(const StepFacts& facts, const std::vector<std::string>& against);

/// In step the target may be with changes of some seconds that wait. What was written at the source before
/// this time is there; nullopt where more than rejects stands against being in step.
std::optional<MonoTime> complete_until(const StepFacts& facts, const std::vector<std::string>& against,
                                       MonoTime now);

/// When a run ends that was asked to end in step: at a look at which it is in step, once all is there that
/// was written until the first such look. Looks in between at which it is not do not begin this anew: of a
/// stream with many shards some shard has always just closed.
class EndInStep {
 public:
  /// `complete`: what complete_until() says at this look.
  bool may_end(bool in_step, std::optional<MonoTime> complete, MonoTime now);

 private:
  std::optional<MonoTime> first_;
};

}  // namespace messina::jobs

// The parts of a live migration that a process does, and what it says to whoever asks it to do more of them
// while it runs. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "endpoints/feed.h"
#include "jobs/progress.h"

namespace messina::jobs {

/// Which parts of a migration a process does. The others are another run's.
struct Roles {
  bool capture = true, copy = true, apply = true;
  bool operator==(const Roles&) const = default;
};
inline constexpr Roles kNoRoles{.capture = false, .copy = false, .apply = false};

/// In the order in which they begin (PROTOCOL rule 13).
enum class Role : std::uint8_t { capture, copy, apply };
inline constexpr std::size_t kRoles = 3;
inline constexpr Role kAllRoles[kRoles]{Role::capture, Role::copy, Role::apply};
/// "capture", "copy", "apply".
std::string_view to_string(Role role);
std::optional<Role> role_of(std::string_view name);
bool has(const Roles& roles, Role role);
void add(Roles& roles, Role role);
/// "capture, copy"; empty for none.
std::string text_of(const Roles& roles);
/// What a live job with these roles is called: "capture" and "apply" of those alone, else "migrate".
std::string job_name(const Roles& roles);

/// What a running process is asked to do beside what it does. It comes with what the part begins with; all
/// else is the process's own.
struct RoleWish {
  Roles roles = kNoRoles;
  std::optional<endpoints::StreamView> enable_stream;  ///< of capture: see CaptureOptions::enable
  bool skip_expired = false;                           ///< of capture: not CaptureOptions::carry_expired
  bool into_existing = false;                          ///< of copy and apply: see CopyOptions
  std::uint64_t number = 0;                            ///< given by Steering::wish(), from 1 on
};

/// Notes of a snapshot (LiveProgress::roles); null if the process has not begun this part.
const RoleNote* note_of(const Progress& progress, Role role);
/// It has begun the part, or is about to, and the part has not failed.
bool does(const Progress& progress, Role role);

/// What is new in a wish to a process that stands as `now`, has wishes `pending` that it did not look at yet,
/// and leaves deletes by TTL out where `skips_expired` (if it captures). Empty roles: it does all that.
/// needs_person, saying why, where it cannot be:
/// - capture while history is copied without it: those pages count for no capture epoch,
/// - a capture that is there already treats expired items otherwise.
Result<Roles> take_wish(const RoleWish& wish, const Progress& now, const Roles& pending, bool skips_expired);

}  // namespace messina::jobs

// What a person may change on a running job, and who changed what.
#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "jobs/progress.h"
#include "jobs/roles.h"

namespace messina::jobs {

/// One setting as it was last set by hand.
struct SteeringChange {
  std::string value;  ///< as a person would write it: "8000", "auto", "yes"
  std::string by;     ///< "anna (uid 1000, pid 4711)"
  std::int64_t at_unix_ms = 0;
  bool all_tables = false;  ///< for all tables of the run
  bool operator==(const SteeringChange&) const = default;
};

/// Whose hand it was.
struct Hand {
  std::string by;
  WallTime at{};
  bool all_tables = false;  ///< it reached for all tables of the run
};

struct SteeringSettings {
  bool paused = false;
  std::optional<double> read_rcu_per_s;            ///< > 0; absent: as the plan says
  std::optional<std::uint32_t> write_concurrency;  ///< >= 1; absent: as the plan says
  /// By setting ("paused", "rcu", "concurrency", "roles"): its last change; settings that nobody touched are
  /// absent.
  std::map<std::string, SteeringChange> changes;
  bool operator==(const SteeringSettings&) const = default;
};

/// The settings in force. Thread-safe: a control socket writes, the job looks at version() in its tick and
/// takes the settings over when it has moved.
class Steering {
 public:
  void pause(bool paused, const Hand& hand) {
    set("paused", paused ? "yes" : "no", hand, [&](SteeringSettings& s) { s.paused = paused; });
  }
  /// nullopt: back to what the plan says.
  void set_read_rcu(std::optional<double> rcu_per_s, const std::string& text, const Hand& hand) {
    set("rcu", text, hand, [&](SteeringSettings& s) { s.read_rcu_per_s = rcu_per_s; });
  }
  void set_write_concurrency(std::optional<std::uint32_t> batches, const std::string& text,
                             const Hand& hand) {
    set("concurrency", text, hand, [&](SteeringSettings& s) { s.write_concurrency = batches; });
  }

  /// Asks the job to do these parts, too; what it has not looked at yet is added to. Returns the wish's
  /// number.
  std::uint64_t wish(const RoleWish& wish, const Hand& hand) {
    std::uint64_t number = 0;
    const auto merge = [&](SteeringSettings&) {
      RoleWish all = wish_.value_or(wish);
      for (const Role role : kAllRoles)
        if (has(wish.roles, role)) add(all.roles, role);
      if (wish.enable_stream) all.enable_stream = wish.enable_stream;
      all.skip_expired = all.skip_expired || wish.skip_expired;
      all.into_existing = all.into_existing || wish.into_existing;
      all.number = number = ++wishes_;
      wish_ = all;
    };
    set("roles", text_of(wish.roles), hand, merge);
    return number;
  }
  /// What the job has not looked at yet.
  Roles wished() const {
    const std::lock_guard lock(mutex_);
    return wish_ ? wish_->roles : kNoRoles;
  }
  /// Of the last wish; 0: there was none.
  std::uint64_t wish_number() const {
    const std::lock_guard lock(mutex_);
    return wishes_;
  }
  /// For the job, which takes it on.
  std::optional<RoleWish> take_wish() {
    const std::lock_guard lock(mutex_);
    return std::exchange(wish_, std::nullopt);
  }

  SteeringSettings settings() const {
    const std::lock_guard lock(mutex_);
    return settings_;
  }
  std::uint64_t version() const {
    const std::lock_guard lock(mutex_);
    return version_;
  }

 private:
  template <class Change>
  void set(const std::string& name, const std::string& value, const Hand& hand, const Change& change) {
    const std::lock_guard lock(mutex_);
    change(settings_);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(hand.at.time_since_epoch());
    settings_.changes[name] = {value, hand.by, ms.count(), hand.all_tables};
    ++version_;
  }

  mutable std::mutex mutex_;
  SteeringSettings settings_;
  std::optional<RoleWish> wish_;
  std::uint64_t wishes_ = 0, version_ = 0;
};

/// Says in a snapshot what was changed. Of several hands on one setting the last counts, whether it reached
/// for one table or for all.
inline void describe(const SteeringSettings& settings, Progress& progress) {
  progress.paused = settings.paused;
  progress.steering.clear();
  for (const auto& [setting, change] : settings.changes)
    progress.steering.push_back({setting, change.value, change.by, change.at_unix_ms, change.all_tables});
}

}  // namespace messina::jobs

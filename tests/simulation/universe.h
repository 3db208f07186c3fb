// Virtual time, and everything that happens in it.
//
// A Universe has one clock, which jumps from event to event. The outside world (servers, the network, the
// users who write to the source, the disk) lives in plain callbacks on it and survives everything. A process
// under test lives on a SimLoop (sim_loop.h) and can be destroyed between any two of its steps.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/random.h"

namespace messina::simulation {

class Universe {
 public:
  explicit Universe(std::uint64_t seed) : random_(seed), order_(random_.fork()) {}
  Universe(const Universe&) = delete;
  Universe& operator=(const Universe&) = delete;

  MonoTime now() const { return now_; }
  /// The wall clock of the machine: runs with now().
  WallTime wall() const {
    return WallTime(std::chrono::seconds(1'800'000'000)) +
           std::chrono::duration_cast<WallTime::duration>(now_.time_since_epoch());
  }
  /// What the world draws its luck from.
  Random& random() { return random_; }
  /// What the scheduler draws the order of steps from.
  Random& order() { return order_; }

  /// Runs `event` at `when` (now at the earliest). Events at one instant run in the order in which they were
  /// added.
  std::uint64_t at(MonoTime when, std::move_only_function<void()> event) {
    const std::uint64_t id = next_id_++;
    events_.emplace(std::pair(std::max(when, now_), id), std::move(event));
    return id;
  }

  bool idle() const { return events_.empty(); }
  MonoTime next_event() const { return events_.begin()->first.first; }
  void run_next_event() {
    auto node = events_.extract(events_.begin());
    advance_to(node.key().first);
    note(node.key().second);
    node.mapped()();
  }
  void advance_to(MonoTime time) { now_ = std::max(now_, time); }

  /// Mixes a number into the trace: two runs of one seed must end with the same hash.
  void note(std::uint64_t value) {
    hash_ =
        (hash_ ^ (value + static_cast<std::uint64_t>(now_.time_since_epoch().count()))) * 0x9E3779B97F4A7C15u;
    hash_ ^= hash_ >> 29;
    ++steps_;
  }
  std::uint64_t trace_hash() const { return hash_; }
  std::uint64_t steps() const { return steps_; }

 private:
  MonoTime now_{std::chrono::hours(1)};
  Random random_;
  Random order_;
  std::map<std::pair<MonoTime, std::uint64_t>, std::move_only_function<void()>> events_;
  std::uint64_t next_id_ = 1;
  std::uint64_t hash_ = 0xcbf29ce484222325u;
  std::uint64_t steps_ = 0;
};

}  // namespace messina::simulation

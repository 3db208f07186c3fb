// One simulated process of a live migration: the real applier, beside it a capture without faults of its own
// and a copy that does as little as may be.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "jobs/apply.h"
#include "jobs/live_ledger.h"
#include "jobs/task_group.h"
#include "jobs/watermark.h"
#include "sim_endpoints.h"
#include "sim_loop.h"
#include "sim_spool.h"
#include "world.h"

namespace messina::simulation {

/// What the source's stream has to tell, and how well it is told.
struct SimChanges {
  struct Event {
    KeyId key = 0;
    World::SourceState state;
    std::int64_t at_unix_ms = 0;
  };
  std::vector<Event> events;
  double marks = 0.15;       ///< of the events are told as marks
  double told_again = 0.05;  ///< of the batches begin with what was told before
  Duration latest{};         ///< a poll waits this long at most
};

/// How far history is on the target: durable at once, as the copy's own simulation covers its ledger.
struct SimHistory {
  struct Segment {
    KeyId from = 0;
    bool done = false;
  };
  std::vector<Segment> segments;
  Duration latest{};  ///< a page is written this long after its reading at most
  bool done() const;
};

/// Holds the applier's writes against PROTOCOL rules 1 to 3, over all processes.
class WriteWatch {
 public:
  WriteWatch(Universe& universe, Duration clock_error, Duration dead_after)
      : universe_(universe), clock_error_(clock_error), dead_after_(dead_after) {}

  /// These go out now: items, and keys of deletes. Tells which rule that breaks; empty: none.
  std::string sent(std::span<const endpoints::WriteRequest> requests);
  void ended(std::span<const endpoints::WriteRequest> requests, const endpoints::WriteOutcome& outcome);
  /// Nobody will hear the answers to what is on the wire.
  void sender_died();

 private:
  struct State {
    bool on_wire = false;
    std::string newest;      ///< what was sent last
    MonoTime free_after{};   ///< strictly later anything may be sent
    MonoTime other_after{};  ///< the same of another state than `newest`
  };
  Universe& universe_;
  const Duration clock_error_, dead_after_;
  std::map<KeyId, State> keys_;
};

class ApplyProcess {
 public:
  ApplyProcess(World& world, Disk& ledger_disk, SpoolDisk& spool_disk, SimChanges& changes,
               SimHistory& history, const SpoolFaults& spool_faults, const jobs::ApplyOptions& options,
               WriteWatch& watch, std::uint64_t seed);
  ~ApplyProcess();
  ApplyProcess(const ApplyProcess&) = delete;
  ApplyProcess& operator=(const ApplyProcess&) = delete;

  /// Everything that happened is in the spool.
  bool captured_all() const { return captured_ == changes_.events.size(); }

  SimLoop loop;
  Stop stop;
  Observed observed;
  bool paused = false;
  bool ended_cleanly = false;
  std::optional<Result<void>> result;
  std::optional<jobs::Apply> apply;

 private:
  Task<Result<void>> run();
  Task<void> beat();
  Task<void> capture();
  Task<void> copy_segment(std::uint32_t segment);
  Task<bool> write_page(std::vector<std::string> records);
  Task<bool> write_batch(std::vector<std::string> records);
  Task<bool> reject(const std::string& record, const Error& error);
  Task<bool> may_send();
  void fail_with(const Error& error);

  World& world_;
  SimChanges& changes_;
  SimHistory& history_;
  std::unique_ptr<SimStore> store_;
  SimSpool spool_;
  Random random_;
  jobs::ApplyOptions options_;
  std::vector<jobs::Lane> lanes_;
  jobs::Watermark watermark_;
  jobs::LiveLedger ledger_;
  MonoTime quiet_until_;
  std::size_t captured_ = 0;
  bool left_unknown_ = false;
  std::optional<Error> failure_;
};

}  // namespace messina::simulation

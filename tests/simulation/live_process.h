// One simulated process of a live migration: the whole real job, with capture, copy, applier and backward
// pass.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "apply_process.h"
#include "jobs/migrate.h"
#include "sim_endpoints.h"
#include "sim_loop.h"
#include "sim_spool.h"
#include "sim_stream.h"
#include "world.h"

namespace messina::simulation {

/// Every state that the source's items went through, and when. It survives the processes.
class SourceHistory {
 public:
  explicit SourceHistory(World& world);

  /// What a table holds of a key; nullopt: nothing.
  using Content = std::optional<Version>;
  static Content content(const World::SourceState& state) {
    return state.there ? Content(state.version) : Content();
  }
  bool ever_absent(KeyId key) const;
  /// The source had this at `since`, or at some time after it.
  bool held_since(KeyId key, const Content& content, MonoTime since) const;

 private:
  struct State {
    MonoTime from{};
    Content content;
  };
  std::vector<std::vector<State>> keys_;
};

struct LiveProcess {
  struct Setting {
    World* world = nullptr;
    SimStream* stream = nullptr;
    const SourceHistory* history = nullptr;
    Disk* disk = nullptr;
    SpoolDisk* spool_disk = nullptr;
    SpoolFaults spool_faults;
    WriteWatch* watch = nullptr;
    jobs::MigrateOptions options;
  };

  LiveProcess(const Setting& with, std::uint64_t seed);
  ~LiveProcess();
  LiveProcess(const LiveProcess&) = delete;
  LiveProcess& operator=(const LiveProcess&) = delete;

  /// Runs one step, or lets time go on to the next; false if nothing is left to wait for.
  bool step();
  /// Lets the world's events up to `time` happen, and then the loop's timers.
  void advance_to(MonoTime time);

  Universe& universe;
  const jobs::MigrateOptions options;
  SimLoop loop;
  Stop stop;
  jobs::ProgressBoard board;
  jobs::Steering steering;
  Observed observed;
  std::unique_ptr<SimStore> store;
  SimSpool spool;
  std::vector<jobs::Lane> lanes;
  jobs::MigrateContext context;
  std::optional<Result<jobs::MigrateSummary>> result;
};

}  // namespace messina::simulation

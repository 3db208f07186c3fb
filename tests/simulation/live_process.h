// One simulated process of a live migration: the whole real job, with capture, copy, applier and backward
// pass.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "apply_process.h"
#include "jobs/copy_internal.h"
#include "jobs/migrate.h"
#include "sim_endpoints.h"
#include "sim_loop.h"
#include "sim_spool.h"
#include "sim_stream.h"
#include "sim_verify_store.h"
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
  bool ever_there(KeyId key) const;
  bool ever_held(KeyId key, const Content& content) const;
  bool changed_since(KeyId key, MonoTime since) const;
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
    VerifyDisk* verify_disk = nullptr;  ///< null: nothing is verified
    VerifyStoreFaults verify_store_faults = {};
    WriteWatch* watch = nullptr;
    bool leave = false;  ///< somebody allowed to delete what only the target has
    jobs::MigrateOptions options;
  };

  LiveProcess(const Setting& with, std::uint64_t seed);
  ~LiveProcess();
  LiveProcess(const LiveProcess&) = delete;
  LiveProcess& operator=(const LiveProcess&) = delete;

  /// Presses the button; nothing new may be sent soon after it was pressed.
  void pause(bool paused);
  /// Of the roles only the copy: that is another command, without a migration around it.
  bool copies_alone() const {
    return options.roles == jobs::Roles{.capture = false, .copy = true, .apply = false};
  }

  Universe& universe;
  const jobs::MigrateOptions options;
  SimLoop loop;
  Stop stop;
  jobs::ProgressBoard board;
  jobs::Steering steering;
  std::optional<MonoTime> paused_since;
  /// The process was told that the target belongs to another migration (PROTOCOL rule 20).
  std::optional<MonoTime> kept_out_since;
  bool blind = false;  ///< descriptions of the target are not answered, while writes are
  Observed observed;
  std::unique_ptr<SimStore> store;
  SimSpool spool;
  std::optional<SimVerifyStore> verify_store;
  jobs::VerifyDesk verify_desk;
  std::vector<jobs::Lane> lanes;
  jobs::MigrateContext context;
  jobs::CopyContext copy_context;
  std::optional<Result<jobs::MigrateSummary>> result;

 private:
  void copy_alone();
};

}  // namespace messina::simulation

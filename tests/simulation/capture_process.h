// One simulated process that captures, with an applier that writes nowhere but into a map.
#pragma once
#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>

#include "jobs/capture.h"
#include "jobs/live_ledger.h"
#include "sim_endpoints.h"
#include "sim_loop.h"
#include "sim_spool.h"
#include "sim_stream.h"
#include "world.h"

namespace messina::simulation {

/// What a target would hold that is written at once, in the order in which the spool gives it. It survives
/// the processes.
struct Applied {
  std::map<KeyId, Version> items;  ///< of keys that are there
  std::uint64_t epoch = 0;         ///< of the capture under which history was read
};

/// One process: its memory is gone when it is.
struct CaptureProcess {
  struct Setting {
    Disk* disk;
    SpoolDisk* spool_disk;
    SpoolFaults spool_faults;
    Applied* applied;
    jobs::CaptureOptions options;
    bool heals = false;  ///< begins a new epoch, reads history again, and clears the gaps
  };

  CaptureProcess(Universe& in_universe, World& in_world, SimStream& stream, const Setting& with,
                 std::uint64_t seed);
  ~CaptureProcess() { die(); }

  /// kill -9.
  void die();

  static Task<void> run(CaptureProcess& self);
  static Task<void> apply(CaptureProcess& self);
  void read_history();
  void apply_entry(const state::SpoolEntry& entry);

  Universe& universe;
  World& world;
  Setting setting;
  SimLoop loop;
  Stop stop;
  SimStore store;
  SimSpool spool;
  endpoints::Endpoint source;
  std::optional<jobs::LiveLedger> ledger;
  std::optional<jobs::Capture> capture;
  /// Set by the story: nobody has written since.
  std::optional<MonoTime> quiet_since;
  /// All that was written until `quiet_since` was captured, and the spool was empty after that.
  bool caught_up = false;
  std::optional<Result<void>> result;
};

}  // namespace messina::simulation

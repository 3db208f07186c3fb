// The applier alone, in virtual time, between a spool and servers that do as they are told.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/apply.h"
#include "jobs/live_ledger.h"
#include "jobs/task_group.h"
#include "sim_endpoints.h"
#include "sim_loop.h"
#include "sim_spool.h"
#include "world.h"

namespace messina::simulation {

/// A table with a key "pk". Times are of the universe, which begins at one hour.
class ApplyBench {
 public:
  struct Write {
    MonoTime sent{};
    std::vector<std::string> raws;  ///< items, and keys of deletes
    std::vector<bool> removes;
  };
  struct Target {
    endpoints::WriteCaps caps;
    Duration latency = std::chrono::milliseconds(10);
    /// nullopt: it is written.
    std::function<std::optional<endpoints::WriteOutcome>(const Write&)> answer;
    std::vector<Write> writes;
    std::size_t on_wire = 0, most_on_wire = 0;
  };
  struct Source {
    std::map<std::string, std::string> items;  ///< by the key's JSON
    std::size_t max_keys = 100;
    std::vector<MonoTime> lookups;
    std::uint64_t keys_asked = 0;
  };

  explicit ApplyBench(const jobs::ApplyOptions& options = {});
  ~ApplyBench();
  ApplyBench(const ApplyBench&) = delete;
  ApplyBench& operator=(const ApplyBench&) = delete;

  /// Starts the applier and the ledger's heartbeat, and lets them come to rest.
  void start();
  /// Lets virtual time go on.
  void run_for(Duration time);
  /// Puts `puts` at once, captured now.
  void put(std::vector<state::SpoolPut> puts);
  static state::SpoolPut image(const std::string& key, std::uint64_t version);
  static state::SpoolPut removal(const std::string& key);
  static state::SpoolPut mark(const std::string& key);
  static std::string key_text(const std::string& key);

  /// Keys in the spool.
  std::size_t waiting() const {
    return (spool_disk.unsynced.empty() ? spool_disk.synced : spool_disk.unsynced.back()).keys();
  }
  /// Asks it to stop, and waits for the end.
  Result<void> end();

  Universe universe{1};
  World world;
  SimLoop loop;
  Disk disk;
  SpoolDisk spool_disk{"spool"};
  Target target;
  Source source;
  Random spool_luck{1};
  SimSpool spool;
  std::unique_ptr<SimStore> store;
  jobs::Watermark watermark;
  jobs::LiveLedger ledger;
  Stop stop;
  std::vector<jobs::Lane> lanes;
  jobs::Sight owner_sight, source_sight;  ///< nobody looks as long as none is seen
  std::optional<jobs::Apply> apply;
  std::optional<Result<void>> result;

 private:
  Task<void> put_all(std::vector<state::SpoolPut> puts);
  Task<void> beat();

  jobs::ApplyOptions options_;
  jobs::TaskGroup others_;
  std::uint64_t next_token_ = 1;
};

}  // namespace messina::simulation

// The endpoints and the ledger of a simulated process, in front of the World.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "endpoints/endpoint.h"
#include "sim_loop.h"
#include "state/job_store.h"
#include "world.h"

namespace messina::simulation {

/// What the endpoints of one process see of its behaviour. Belongs to the process.
struct Observed {
  std::uint64_t puts = 0;
  std::uint64_t keys_written = 0;  ///< by any attempt
  std::uint32_t puts_on_wire = 0, most_puts_on_wire = 0;
  std::int64_t page_bytes = 0, most_page_bytes = 0, largest_page = 0;
  double rcu = 0;
  double most_rcu_over_budget = 0;  ///< beyond rate × time
  double largest_rcu = 0;
  double rcu_rate = 0;  ///< of the budget; 0: none
  MonoTime started{};
};

/// Source and target for one lane.
endpoints::Endpoint make_source(World& world, SimLoop& loop, Observed& observed);
endpoints::Endpoint make_target(World& world, SimLoop& loop, Observed& observed);

/// The disk: what is durable survives the processes.
struct Disk {
  std::optional<state::JobState> job;
  std::vector<state::Reject> rejects;
  std::uint64_t reject_ids = 0;  ///< given until now
  std::uint64_t begun = 0;       ///< durable begin()s
  MonoTime began{};              ///< when the newest of them was asked for
  MonoTime pending_began{};
  std::optional<state::JobState> pending_begin;
  std::optional<state::Commit> pending_commit;
  MonoTime hangs_until{};            ///< no call ends before
  std::set<std::string> gap_causes;  ///< of all gaps that it ever held

  void apply_pending();
  void drop_pending();
};

/// A JobStore whose calls take time and become durable at their end; a crash in the middle keeps or drops
/// them.
class SimStore final : public state::JobStore {
 public:
  SimStore(World& world, SimLoop& loop, Disk& disk) : world_(world), loop_(loop), disk_(disk) {}
  Task<Result<std::optional<state::JobState>>> load() override;
  Task<Result<void>> begin(const state::JobState& fresh) override;
  Task<Result<void>> commit(const state::Commit& step) override;
  Task<Result<std::vector<std::string>>> live_reject_keys() override;
  Task<Result<std::vector<state::Reject>>> rejects(const state::RejectFilter& filter) override;

 private:
  Task<void> latency();
  AsyncSemaphore one_{1};  // calls run one after another
  World& world_;
  SimLoop& loop_;
  Disk& disk_;
};

}  // namespace messina::simulation

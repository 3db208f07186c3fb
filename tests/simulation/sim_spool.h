// The spool of a simulated process: the model of src/state/spool_model.h behind the jobs' interface, with
// calls that take time, and a disk that a crash cuts back to a durable prefix.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "sim_loop.h"
#include "state/spool_model.h"
#include "state/spool_store.h"

namespace messina::simulation {

/// What is durable survives the processes. Not synced is what came after `synced`, oldest first.
struct SpoolDisk {
  using Change = std::function<void(state::SpoolModel&)>;

  explicit SpoolDisk(std::string id) : synced(std::move(id)) {}

  state::SpoolModel synced;
  std::vector<state::SpoolModel> unsynced;
  std::vector<Change> on_the_way;  ///< of calls that are not answered yet

  /// The process is gone: a part of what was not synced is, too, and always the newest part. A call on its
  /// way may have happened.
  void crash(Random& random);
};

/// Probabilities of a call's fate, and until when.
struct SpoolFaults {
  double slow = 0;  ///< it takes seconds
  double full = 0;  ///< the disk has no room for a put
  MonoTime until{};
};

/// One process's SpoolStore. Its process is alone with the disk, and crash() comes before the next one.
class SimSpool final : public state::SpoolStore {
 public:
  SimSpool(SimLoop& loop, SpoolDisk& disk, Random& random, SpoolFaults faults);

  state::SpoolStamp stamp() const override { return disk_.synced.stamp(); }
  Task<Result<std::vector<state::ShardPosition>>> positions() override;
  Task<Result<std::string>> domain() override;
  Task<Result<state::PutAnswer>> put(const state::SpoolBatch& batch) override;
  Task<Result<state::Taken>> take(const state::TakeRequest& request) override;
  Task<Result<void>> settle(const std::vector<state::Settled>& written) override;
  void release(std::span<const std::string> keys) override { model_.release(keys); }
  Task<Result<void>> declare_gap() override;
  Task<Result<void>> begin_domain(const std::string& domain) override;
  Task<Result<state::Reduced>> reduce_to(std::uint64_t max_bytes) override;
  Task<Result<state::SpoolFigures>> figures() override;
  Task<Result<void>> keep_touches() override;
  Task<Result<void>> drop_touches() override;
  Task<Result<bool>> keeps_touches() override;
  Task<Result<std::vector<state::Touch>>> touches(const std::string& after, std::size_t most) override;
  Task<Result<void>> forget_touches(const std::vector<state::Touch>& judged) override;
  Task<Result<std::vector<state::KeyStand>>> look_up(const std::vector<std::string>& keys) override;

  /// How far behind the present a taking was held by a watermark at most.
  Duration most_held_back() const { return most_held_back_; }

 private:
  bool chance(double probability);
  Task<void> latency();
  /// Makes `change` after some time, durable if `synced`. A crash meanwhile makes it or not.
  Task<void> write(SpoolDisk::Change change, bool synced);

  SimLoop& loop_;
  SpoolDisk& disk_;
  Random& random_;
  const SpoolFaults faults_;
  state::SpoolModel model_;
  bool full_ = false;
  Duration most_held_back_{};
};

}  // namespace messina::simulation

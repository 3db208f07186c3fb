// What a simulated process keeps of a verification: the model of src/state/verify_model.h behind the jobs'
// interface, with calls that take time, are durable when they are answered, and may be made or not where a
// crash meets them.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "sim_loop.h"
#include "state/verify_model.h"
#include "state/verify_store.h"

namespace messina::simulation {

/// What is durable survives the processes.
struct VerifyDisk {
  struct Change {
    std::optional<state::VerifyState> begin;
    std::optional<state::VerifyCommit> commit;
  };

  state::VerifyModel model;
  std::optional<Change> on_the_way;  ///< of the call that is not answered yet
  /// Told of each note of a commit, when it is durable.
  std::function<void(const state::KeyNote&)> on_note;

  state::NoteCounts apply(const Change& change);
  /// The process is gone: a call on its way may have happened.
  void crash(Random& random);
};

/// Probabilities of a call's fate, and until when.
struct VerifyStoreFaults {
  double slow = 0;  ///< it takes seconds
  double busy = 0;  ///< a commit finds the ledger busy, and does nothing
  MonoTime until{};
};

/// One process's VerifyStore. Its process is alone with the disk, and crash() comes before the next one.
class SimVerifyStore final : public state::VerifyStore {
 public:
  SimVerifyStore(SimLoop& loop, VerifyDisk& disk, Random& random, const VerifyStoreFaults& faults)
      : loop_(loop), disk_(disk), random_(random), faults_(faults) {}

  Task<Result<std::optional<state::VerifyState>>> load() override;
  Task<Result<void>> begin(const state::VerifyState& fresh) override;
  Task<Result<state::NoteCounts>> commit(const state::VerifyCommit& step) override;
  Task<Result<std::vector<state::KeyNote>>> notes(const state::NoteFilter& filter) override;
  Task<Result<std::optional<state::KeyNote>>> note(const std::string& key) override;
  Task<Result<std::vector<state::NoteGroup>>> groups() override;

 private:
  bool chance(double probability);
  Task<void> latency();
  /// Makes what is on the way after some time.
  Task<state::NoteCounts> write(VerifyDisk::Change change);

  AsyncSemaphore one_{1};  // calls run one after another
  SimLoop& loop_;
  VerifyDisk& disk_;
  Random& random_;
  const VerifyStoreFaults faults_;
};

}  // namespace messina::simulation

// A verification in memory: what VerifyStore's calls mean, without disk, threads and time. The simulation's
// store is made of it, and the real one is held against it.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "state/verify_store.h"

namespace messina::state {

/// Copies are independent: a copy is what a disk has at one moment. Not thread-safe.
class VerifyModel {
 public:
  /// What load() answers.
  const std::optional<VerifyState>& state() const { return state_; }

  void begin(const VerifyState& fresh);
  /// Throws std::bad_optional_access before a begin(), and std::out_of_range if a step names no unit (bugs).
  NoteCounts commit(const VerifyCommit& step);

  std::vector<KeyNote> notes(const NoteFilter& filter) const;
  std::optional<KeyNote> note(const std::string& key) const;
  std::vector<NoteGroup> groups() const;

  bool operator==(const VerifyModel&) const = default;

 private:
  std::optional<VerifyState> state_;
  std::map<std::string, KeyNote> notes_;  ///< by key
};

}  // namespace messina::state

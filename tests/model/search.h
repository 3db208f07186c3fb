// Every state that a model can reach, breadth first: so what is found wrong is found by a shortest schedule.
#pragma once
#include <cstdint>
#include <string>

#include "model.h"

namespace messina::model {

struct Found {
  std::uint64_t states = 0, transitions = 0, ends = 0;
  bool complete = false;  ///< nothing was left out
  std::string what;       ///< is wrong; empty: nothing
  std::string schedule;   ///< that leads there, a line a step
  Model::Counts seen{};
};

/// Ends at the first thing wrong, or beyond `most_states` (then not complete). Where all states are seen, it
/// is also judged whether a good end can be reached from each (I10).
/// `ends_only`: as Model::wrong() has it.
Found search(const Model& model, std::uint64_t most_states, bool ends_only = false);

}  // namespace messina::model

#include "search.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace messina::model {

namespace {

using Index = std::uint32_t;
constexpr Index kNone = ~Index{0};

/// A state is known by 128 bits of hash: two that share them would be taken for one, which happens once in
/// 10^23 searches of this size.
struct Name {
  std::uint64_t high, low;
  bool operator==(const Name&) const = default;
};

Name name_of(const State& state) {
  const char* at = reinterpret_cast<const char*>(&state);
  Name name{0x9e3779b97f4a7c15u, 0x2545f4914f6cdd1du};
  std::size_t left = sizeof state;
  while (left > 0) {
    std::uint64_t word = 0;
    const std::size_t some = std::min(left, sizeof word);
    std::memcpy(&word, at, some);
    name.high = (name.high ^ word) * 0xff51afd7ed558ccdu;
    name.high ^= name.high >> 32;
    name.low = (name.low + word) * 0xc4ceb9fe1a85ec53u;
    name.low ^= name.low >> 29;
    at += some;
    left -= some;
  }
  return name;
}

/// Each once, in the order in which they were found.
class Names {
 public:
  Names() : slots_(1u << 16, kNone) {}

  /// Where it is, and whether it is new.
  std::pair<Index, bool> add(const Name& name) {
    if (2 * (all_.size() + 1) > slots_.size()) grow();
    std::size_t slot = name.low & (slots_.size() - 1);
    for (; slots_[slot] != kNone; slot = (slot + 1) & (slots_.size() - 1)) {
      if (all_[slots_[slot]] == name) return {slots_[slot], false};
    }
    slots_[slot] = static_cast<Index>(all_.size());
    all_.push_back(name);
    return {slots_[slot], true};
  }
  const Name& operator[](Index index) const { return all_[index]; }
  Index size() const { return static_cast<Index>(all_.size()); }

 private:
  void grow() {
    slots_.assign(2 * slots_.size(), kNone);
    for (Index index = 0; index < size(); ++index) {
      std::size_t slot = all_[index].low & (slots_.size() - 1);
      while (slots_[slot] != kNone) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = index;
    }
  }
  std::vector<Name> all_;
  std::vector<Index> slots_;
};

class Search {
 public:
  Search(const Model& model, bool ends_only) : model_(model), ends_only_(ends_only) {}

  Found run(std::uint64_t most_states) {
    add(model_.first(), kNone);
    Index at = 0;
    for (; !ahead_.empty() && found_.what.empty() && names_.size() <= most_states; ++at) {
      const State state = ahead_.front();
      ahead_.pop_front();
      next_of_.push_back(next_.size());
      expand(state, at);
    }
    found_.complete = ahead_.empty() && found_.what.empty();
    if (found_.complete) look_for_dead_ends();
    found_.states = names_.size();
    found_.seen = model_.seen();
    return std::move(found_);
  }

 private:
  void add(const State& state, Index parent) {
    const auto [index, fresh] = names_.add(name_of(state));
    if (parent != kNone && index != parent) next_.push_back(index);
    if (!fresh) return;
    parents_.push_back(parent);
    ahead_.push_back(state);
    const bool end = model_.at_end(state);
    good_.push_back(end && model_.good_end(state));
    found_.ends += end;
    if (const char* what = model_.wrong(state, ends_only_))
      tell(what, index);
    else if (end && !good_.back())
      tell("I10: all is done, and the target differs from the source", index);
  }

  void expand(const State& state, Index at) {
    model_.steps(state, [&](const State& raw, Label) {
      ++found_.transitions;
      if (!found_.what.empty()) return;
      State next = raw;
      canonical(next, model_.scope());
      add(next, at);
    });
  }

  /// Backwards from the good ends.
  void look_for_dead_ends() {
    next_of_.push_back(next_.size());
    std::vector<std::uint64_t> first(std::size_t{names_.size()} + 1, 0);
    for (const Index to : next_) ++first[to + std::size_t{1}];
    for (std::size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
    std::vector<std::uint64_t> fill(first.begin(), first.end() - 1);
    std::vector<Index> before(next_.size());
    for (Index from = 0; from < names_.size(); ++from) {
      for (std::uint64_t i = next_of_[from]; i < next_of_[from + std::size_t{1}]; ++i)
        before[fill[next_[i]]++] = from;
    }
    std::vector<Index> queue;
    for (Index i = 0; i < names_.size(); ++i) {
      if (good_[i]) queue.push_back(i);
    }
    while (!queue.empty()) {
      const Index to = queue.back();
      queue.pop_back();
      for (std::uint64_t i = first[to]; i < first[to + std::size_t{1}]; ++i) {
        if (good_[before[i]]) continue;
        good_[before[i]] = true;
        queue.push_back(before[i]);
      }
    }
    for (Index i = 0; i < names_.size() && found_.what.empty(); ++i) {
      if (!good_[i]) tell("I10: from here on no good end can be reached", i);
    }
  }

  /// Goes the way again, by the names of the states on it.
  void tell(const char* what, Index index) {
    if (!found_.what.empty()) return;
    found_.what = what;
    std::vector<Index> way;
    for (Index at = index; at != kNone; at = parents_[at]) way.push_back(at);
    State state = model_.first();
    int time = 0;
    for (std::size_t i = way.size() - 1; i > 0; --i) {
      std::optional<std::pair<State, Label>> taken;
      model_.steps(state, [&](const State& raw, Label label) {
        State next = raw;
        canonical(next, model_.scope());
        if (!taken && name_of(next) == names_[way[i - 1]]) taken.emplace(next, label);
      });
      if (!taken) return;
      found_.schedule += fmt::format("  {:2}. t={:<2} {}\n", way.size() - i, time, words(taken->second));
      time += taken->second.act == Act::waits;
      state = taken->first;
    }
  }

  const Model& model_;
  const bool ends_only_;
  Names names_;
  std::deque<State> ahead_;
  std::vector<Index> parents_, next_;
  std::vector<std::uint64_t> next_of_;  ///< where the next states of each begin
  std::vector<bool> good_;              ///< is a good end, or can reach one
  Found found_;
};

}  // namespace

Found search(const Model& model, std::uint64_t most_states, bool ends_only) {
  Search all(model, ends_only);
  return all.run(most_states);
}

}  // namespace messina::model

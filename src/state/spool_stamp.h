// Whether the spool that was opened is the one that the ledger knows. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace messina::state {

/// Id and age of a spool.
struct SpoolStamp {
  std::string id;             ///< random, given when the spool was made
  std::uint64_t counter = 0;  ///< of synced commits; only grows
  bool operator==(const SpoolStamp&) const = default;
};

enum class SpoolMatch : std::uint8_t {
  same,     ///< go on
  first,    ///< the ledger knows of no spool yet: nothing can have been lost
  missing,  ///< the ledger knows another spool than this one, which was made anew or is another migration's
  older,    ///< a former state of the right spool: restored from a copy
};

/// `known`: of the ledger. `opened`: of the spool, as it was opened. What is not `same` or `first` is a gap
/// (PROTOCOL rule 10).
///
/// It holds because the ledger's stamp is never ahead of the spool's: the counter is stored there after the
/// spool's commit that it counts was synced. That a process's first commit to the spool is in the ledger
/// before anything is put tells apart whatever the spool was before that process. An opening does not count:
/// a process may die between opening an older spool and telling of it.
inline SpoolMatch match(const std::optional<SpoolStamp>& known, const SpoolStamp& opened) {
  if (!known) return SpoolMatch::first;
  if (known->id != opened.id) return SpoolMatch::missing;
  return opened.counter >= known->counter ? SpoolMatch::same : SpoolMatch::older;
}

}  // namespace messina::state

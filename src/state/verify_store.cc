#include "state/verify_store.h"

#include "state/enum_names.h"

namespace messina::state {
namespace {

constexpr Names<Verdict, kVerdicts> kNames{{{Verdict::equal, "equal"},
                                            {Verdict::suspect, "suspect"},
                                            {Verdict::unsettled, "unsettled"},
                                            {Verdict::rejected, "rejected"},
                                            {Verdict::missing, "missing"},
                                            {Verdict::extra, "extra"},
                                            {Verdict::differs, "differs"}}};

}  // namespace

std::string_view to_string(Verdict verdict) { return name_of(kNames, verdict); }
std::optional<Verdict> verdict_of(std::string_view name) { return value_of(kNames, name); }

bool is_difference(Verdict verdict) {
  return verdict == Verdict::missing || verdict == Verdict::extra || verdict == Verdict::differs;
}

void add(item::KeyDigest& digest, const ReadKeys& keys) {
  digest.add(keys.hashes);
  if (keys.sums) digest.merge(*keys.sums);
}

VerifyCounts& VerifyCounts::operator+=(const VerifyCounts& other) {
  pages += other.pages;
  items += other.items;
  bytes += other.bytes;
  source_rcu += other.source_rcu;
  target_rcu += other.target_rcu;
  return *this;
}

}  // namespace messina::state

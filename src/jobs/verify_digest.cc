// The digests of both sides' keys, and which keys may explain where they differ.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "item/key_digest.h"
#include "jobs/verify_run.h"

namespace messina::jobs {

namespace {

using Buckets = std::unordered_map<std::uint32_t, std::vector<Uint128>>;

/// Touches and notes that are read at once.
constexpr std::size_t kReadAtOnce = 10'000;
/// Buckets whose explaining keys are in memory at once: at most kMostTouched + 1 hashes of 16 bytes each.
constexpr std::uint32_t kBucketsAtOnce = 1u << 16;
/// The loop has others to serve, too: explaining a bucket may take 0.2 ms.
constexpr std::uint64_t kExplainedAtOnce = 50;

std::string sum_text(const item::KeyDigest& digest) {
  Uint128 sum = 0;
  for (const item::KeyDigest::Bucket& bucket : digest.buckets()) sum += bucket.sum;
  return fmt::format("{:016x}{:016x}", static_cast<std::uint64_t>(sum >> 64),
                     static_cast<std::uint64_t>(sum));
}

/// Collects the hashes of keys that fall into one of some buckets.
class Explaining {
 public:
  Explaining(const VerifyRun& run, Buckets& buckets)
      : run_(run),
        buckets_(buckets),
        keys_(run.sides.source_key),
        hash_(run.record.secret),
        sample_(run.options.scope) {}

  void add(const std::string& key_text) {
    bytes_.clear();
    if (!keys_.append(key_text, nullptr, &bytes_))
      return;  // no key of these tables: it is in no digest either
    if (!sample_.has(bytes_)) return;
    const Uint128 hash = hash_(bytes_);
    const auto found = buckets_.find(item::bucket_of(hash, run_.record.bucket_bits));
    if (found == buckets_.end()) return;
    std::vector<Uint128>& of_bucket = found->second;
    // One more than can explain says that they are too many.
    if (of_bucket.size() > item::kMostTouched || std::ranges::find(of_bucket, hash) != of_bucket.end())
      return;
    of_bucket.push_back(hash);
  }

 private:
  const VerifyRun& run_;
  Buckets& buckets_;
  const item::KeyReader keys_;
  std::string bytes_;
  KeyedHash hash_;
  KeySample sample_;
};

Task<Result<void>> add_touches(std::shared_ptr<VerifyRun> run, Explaining* explaining) {
  std::string after;
  while (run->live() && !run->options.faults.touched_explain_nothing) {
    const Result<std::vector<state::Touch>> some =
        co_await run->context.live->spool->touches(after, kReadAtOnce);
    if (!some) co_return fail(some.error());
    for (const state::Touch& touch : *some) explaining->add(touch.key);
    if (some->empty()) break;
    after = some->back().key;
  }
  co_return Result<void>();
}

/// Keys with a note are known to disagree, or are being looked at.
Task<Result<void>> add_notes(std::shared_ptr<VerifyRun> run, Explaining* explaining) {
  state::NoteFilter filter;
  filter.limit = kReadAtOnce;
  for (;;) {
    const Result<std::vector<state::KeyNote>> some = co_await run->context.store->notes(filter);
    if (!some) co_return fail(some.error());
    for (const state::KeyNote& note : *some) explaining->add(note.key);
    if (some->empty()) co_return Result<void>();
    filter.after_key = some->back().key;
  }
}

}  // namespace

Task<Result<DigestFindings>> compare_digests(std::shared_ptr<VerifyRun> run) {
  const bool flushed = co_await run->flush();
  if (!flushed) co_return fail(ErrorKind::stopped, "stopped before the digests were compared");
  const Result<std::optional<state::VerifyState>> loaded = co_await run->context.store->load();
  if (!loaded) co_return fail(loaded.error());
  if (!*loaded) co_return fail(ErrorKind::corrupt, "the verification's own record is gone");
  const item::KeyDigest& source = (*loaded)->source;
  const item::KeyDigest& target = (*loaded)->target;
  const std::size_t count = source.buckets().size();
  DigestFindings findings;
  findings.source_keys = source.keys();
  findings.target_keys = target.keys();
  findings.source_sum = sum_text(source);
  findings.target_sum = sum_text(target);
  findings.buckets.resize(count);
  for (std::size_t first = 0; first < count; first += kBucketsAtOnce) {
    Buckets differing;
    for (std::size_t i = first; i < std::min(count, first + kBucketsAtOnce); ++i)
      if (source.buckets()[i] != target.buckets()[i]) differing[static_cast<std::uint32_t>(i)];
    if (differing.empty()) continue;
    findings.differing += differing.size();
    Explaining explaining(*run, differing);
    const Result<void> touches = co_await add_touches(run, &explaining);
    if (!touches) co_return fail(touches.error());
    const Result<void> notes = co_await add_notes(run, &explaining);
    if (!notes) co_return fail(notes.error());
    std::uint64_t explained = 0;
    for (const auto& [bucket, keys] : differing) {
      if (++explained % kExplainedAtOnce == 0) co_await run->home.sleep_for(Duration::zero(), &run->halt);
      if (run->halt.requested()) co_return fail(ErrorKind::stopped, "stopped while digests were compared");
      if (item::explains(source.buckets()[bucket], target.buckets()[bucket], keys)) continue;
      findings.buckets[bucket] = true;
      ++findings.to_list;
    }
  }
  co_return findings;
}

}  // namespace messina::jobs

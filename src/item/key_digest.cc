#include "item/key_digest.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace messina::item {
namespace {

constexpr std::uint64_t kKeysInABucket = 64;
constexpr int kMinBucketBits = 8;

/// What each choice of -1, 0 and 1 for each of the keys comes to.
std::vector<KeyDigest::Bucket> combinations(std::span<const Uint128> hashes) {
  std::vector<KeyDigest::Bucket> all = {{}};
  for (const Uint128 hash : hashes) {
    const std::size_t count = all.size();
    for (std::size_t i = 0; i < count; ++i) {
      const KeyDigest::Bucket without = all[i];
      all.push_back({without.sum + hash, without.keys + 1});
      all.push_back({without.sum - hash, without.keys - 1});
    }
  }
  return all;
}

/// Whether some choice of -1, 0 and 1 for each of `touched` makes up `whole`, whose keys may be fewer than
/// none: what one half must add to the other is looked for among what it can.
bool made_up(const KeyDigest::Bucket& whole, std::span<const Uint128> touched) {
  const std::size_t half = touched.size() / 2;
  std::vector<KeyDigest::Bucket> of_half = combinations(touched.first(half));
  std::ranges::sort(of_half, {}, &KeyDigest::Bucket::sum);
  return std::ranges::any_of(combinations(touched.subspan(half)), [&](const KeyDigest::Bucket& other) {
    const auto sums = std::ranges::equal_range(of_half, whole.sum - other.sum, {}, &KeyDigest::Bucket::sum);
    return std::ranges::find(sums, whole.keys - other.keys, &KeyDigest::Bucket::keys) != sums.end();
  });
}

}  // namespace

KeyDigest::KeyDigest(int bucket_bits) : bucket_bits_(bucket_bits) {
  if (bucket_bits < 0 || bucket_bits > kMaxBucketBits) throw std::invalid_argument("buckets of a digest");
  buckets_.resize(std::size_t{1} << bucket_bits);
}

KeyDigest::KeyDigest(std::vector<Bucket> buckets)
    : bucket_bits_(std::countr_zero(buckets.size())), buckets_(std::move(buckets)) {
  if (!std::has_single_bit(buckets_.size()) || bucket_bits_ > kMaxBucketBits)
    throw std::invalid_argument("buckets of a digest");
}

void KeyDigest::add(Uint128 hash) {
  Bucket& bucket = buckets_[bucket_of(hash, bucket_bits_)];
  bucket.sum += hash;
  ++bucket.keys;
}

void KeyDigest::add(std::span<const Uint128> hashes) {
  // A large digest is not in the cache, and no bucket is next to the former one.
  constexpr std::size_t kAhead = 40;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (i + kAhead < hashes.size())
      __builtin_prefetch(&buckets_[bucket_of(hashes[i + kAhead], bucket_bits_)], 1);
    add(hashes[i]);
  }
}

void KeyDigest::merge(const KeyDigest& other) {
  if (other.bucket_bits_ != bucket_bits_) throw std::invalid_argument("digests of different sizes");
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    buckets_[i].sum += other.buckets_[i].sum;
    buckets_[i].keys += other.buckets_[i].keys;
  }
}

std::uint64_t KeyDigest::keys() const {
  std::uint64_t keys = 0;
  for (const Bucket& bucket : buckets_) keys += bucket.keys;
  return keys;
}

bool explains(const KeyDigest::Bucket& one, const KeyDigest::Bucket& other,
              std::span<const Uint128> touched) {
  if (one == other) return true;
  if (touched.size() > kMostTouched) return false;
  const auto more = static_cast<std::int64_t>(one.keys - other.keys);
  if (static_cast<std::uint64_t>(std::abs(more)) > touched.size()) return false;
  return made_up({one.sum - other.sum, one.keys - other.keys}, touched);
}

int bucket_bits_for(std::uint64_t keys) {
  const int bits = static_cast<int>(std::bit_width(keys / kKeysInABucket));
  return std::clamp(bits, kMinBucketBits, KeyDigest::kMaxBucketBits);
}

}  // namespace messina::item

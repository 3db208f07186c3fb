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

/// Whether some choice of -1, 0 and 1 for each of `touched` makes up `sum` and `keys`.
bool made_up(Uint128 sum, std::int64_t keys, std::span<const Uint128> touched) {
  if (static_cast<std::uint64_t>(std::abs(keys)) > touched.size()) return false;
  if (touched.empty()) return sum == 0;
  const Uint128 first = touched.front();
  const auto rest = touched.subspan(1);
  return made_up(sum, keys, rest) || made_up(sum - first, keys - 1, rest) ||
         made_up(sum + first, keys + 1, rest);
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
  constexpr std::size_t kAhead = 16;
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
  return made_up(one.sum - other.sum, static_cast<std::int64_t>(one.keys - other.keys), touched);
}

int bucket_bits_for(std::uint64_t keys) {
  const int bits = static_cast<int>(std::bit_width(keys / kKeysInABucket));
  return std::clamp(bits, kMinBucketBits, KeyDigest::kMaxBucketBits);
}

}  // namespace messina::item

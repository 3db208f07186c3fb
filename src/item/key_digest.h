// Whether two sets of keys are equal, told without keeping either: order-free digests in buckets.
//
// Each key is hashed to 128 bits under a secret key (base/hash.h); the highest bits of the hash choose a
// bucket, and a bucket is the sum of its keys' hashes mod 2^128, and their number. Sums do not care for
// order, so that each side is read as its scan gives it.
//
// The chance of a miss. Let two different sets of keys have the same sum and number in a bucket. One key at
// least is in one of the sets only; its coefficient in the difference of the sums is 1 or -1, since a table
// has a key once. As long as the hashes are as good as drawn, all other hashes leave to this one exactly one
// value that makes the difference 0, out of the 2^(128 - bits of the bucket) that it may have: with 2^20
// buckets at most, a bucket hides a difference with a chance of at most 2^-108. Touched keys that explain a
// difference (explains()) multiply that by the number of ways in which they may: at most 3^kMostTouched <
// 2^23, so 2^-85. Nobody can aim at it who does not know the secret, which is drawn for each verification.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/hash.h"

namespace messina::item {

/// Of `1 << bucket_bits` buckets, the one of a key's hash.
inline std::uint32_t bucket_of(Uint128 hash, int bucket_bits) {
  return bucket_bits == 0 ? 0 : static_cast<std::uint32_t>(hash >> (128 - bucket_bits));
}

/// The keys of one side. Plain data: merging adds up.
class KeyDigest {
 public:
  static constexpr int kMaxBucketBits = 20;
  /// Bytes that a digest of so many buckets takes.
  static constexpr std::size_t bytes(int bucket_bits) { return sizeof(Bucket) << bucket_bits; }

  struct Bucket {
    Uint128 sum = 0;
    std::uint64_t keys = 0;
    bool operator==(const Bucket&) const = default;
  };

  /// 0..kMaxBucketBits.
  explicit KeyDigest(int bucket_bits);
  /// What another's buckets() gave. Throws std::invalid_argument where no digest has so many.
  explicit KeyDigest(std::vector<Bucket> buckets);

  void add(Uint128 hash);
  /// Many at once are cheaper.
  void add(std::span<const Uint128> hashes);
  /// Of a digest with as many buckets. Throws std::invalid_argument otherwise (a bug).
  void merge(const KeyDigest& other);

  std::span<const Bucket> buckets() const { return buckets_; }
  std::uint64_t keys() const;
  bool operator==(const KeyDigest&) const = default;

 private:
  int bucket_bits_;
  std::vector<Bucket> buckets_;
};

/// Keys of one bucket that may or may not have been there when either side was read.
inline constexpr std::size_t kMostTouched = 14;

/// Whether `one` and `other` may be of the same keys but for some of `touched`, each of which may be in
/// either: these are judged singly. Never true for more than kMostTouched of them.
bool explains(const KeyDigest::Bucket& one, const KeyDigest::Bucket& other, std::span<const Uint128> touched);

/// How many buckets for a table of about so many keys: a bucket that differs has to be listed, and a few
/// dozen keys are listed with one request.
int bucket_bits_for(std::uint64_t keys);

}  // namespace messina::item

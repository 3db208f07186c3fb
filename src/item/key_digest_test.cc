#include "item/key_digest.h"

#include <algorithm>
#include <bit>
#include <map>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace messina::item {
namespace {

KeyedHash::Key secret(std::uint8_t first) {
  KeyedHash::Key key{};
  key[0] = first;
  return key;
}

std::vector<std::string> keys(std::size_t count) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < count; ++i) keys.push_back("key-" + std::to_string(i));
  return keys;
}

KeyDigest digest_of(const std::vector<std::string>& keys, int bits = 8, std::uint8_t first = 1) {
  KeyedHash hash(secret(first));
  KeyDigest digest(bits);
  for (const std::string& key : keys) digest.add(hash(key));
  return digest;
}

TEST(KeyDigest, DoesNotCareForOrderNorForWhereItWasCut) {
  auto some = keys(5000);
  const KeyDigest whole = digest_of(some);
  Random random(3);
  for (std::size_t i = some.size(); i > 1; --i) std::swap(some[i - 1], some[random.below(i)]);
  EXPECT_EQ(digest_of(some), whole);
  KeyDigest first = digest_of({some.begin(), some.begin() + 1234});
  first.merge(digest_of({some.begin() + 1234, some.end()}));
  EXPECT_EQ(first, whole);
  EXPECT_EQ(whole.keys(), 5000u);
  KeyedHash hash(secret(1));
  std::vector<Uint128> hashes;
  for (const std::string& key : some) hashes.push_back(hash(key));
  KeyDigest at_once(8);
  at_once.add(hashes);
  EXPECT_EQ(at_once, whole);
}

TEST(KeyDigest, OneKeyMoreOrLessOrOtherShowsInItsBucketAlone) {
  const auto some = keys(2000);
  const KeyDigest whole = digest_of(some);
  const auto differing = [&](const KeyDigest& other) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < other.buckets().size(); ++i)
      count += other.buckets()[i] == whole.buckets()[i] ? 0 : 1;
    return count;
  };
  auto less = some;
  less.pop_back();
  EXPECT_EQ(differing(digest_of(less)), 1u);
  auto more = some;
  more.push_back("another");
  EXPECT_EQ(differing(digest_of(more)), 1u);
  auto other = some;
  other[7] += "x";
  EXPECT_GE(differing(digest_of(other)), 1u);
  EXPECT_LE(differing(digest_of(other)), 2u);
}

// What breaks a digest of plain sums or exclusive ors: pairs that cancel each other out.
TEST(KeyDigest, PairsThatAreMadeToCancelDoNot) {
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> pairs = {
      {{"ab", "cd"}, {"ad", "cb"}},  // the same bytes at the same places
      {{"a", "a"}, {"b", "b"}},      // twice the same: exclusive or gives 0 for both
      {{"", "ab"}, {"a", "b"}},      // the same text in one
      {{"1", "4"}, {"2", "3"}},      // the same sum
      {{std::string(1, '\0')}, {std::string(2, '\0')}},
      {{"a", "b", "c"}, {"a", "b"}},
      {{}, {"a"}},
  };
  for (const auto& [one, other] : pairs)
    for (const int bits : {0, 8, 20}) EXPECT_NE(digest_of(one, bits), digest_of(other, bits));
}

// Linear combinations of many hashes: whoever knows the hashes finds two sets of one sum; under another
// secret they have two.
TEST(KeyDigest, SetsThatAgreeUnderOneSecretDifferUnderAnother) {
  // In a toy of 16 bits such sets are soon found: 20 keys have a million subsets.
  const auto some = keys(20);
  KeyedHash known(secret(1));
  std::map<std::pair<std::uint16_t, int>, std::uint32_t> seen;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> found;
  for (std::uint32_t set = 0; set < (1u << 20) && found.size() < 200; set += 37) {
    std::uint16_t sum = 0;
    for (std::size_t i = 0; i < some.size(); ++i)
      if (set >> i & 1) sum = static_cast<std::uint16_t>(sum + static_cast<std::uint16_t>(known(some[i])));
    const auto [at, fresh] = seen.try_emplace({sum, std::popcount(set)}, set);
    if (!fresh) found.emplace_back(at->second, set);
  }
  ASSERT_GE(found.size(), 100u);
  const auto members = [&](std::uint32_t set) {
    std::vector<std::string> chosen;
    for (std::size_t i = 0; i < some.size(); ++i)
      if (set >> i & 1) chosen.push_back(some[i]);
    return chosen;
  };
  for (const auto& [one, other] : found)
    EXPECT_NE(digest_of(members(one), 0, 2), digest_of(members(other), 0, 2));
}

TEST(KeyDigest, TouchedKeysMayBeOnEitherSide) {
  KeyedHash hash(secret(1));
  const std::vector<Uint128> touched = {hash("t1"), hash("t2"), hash("t3")};
  const KeyDigest::Bucket base{.sum = hash("a") + hash("b"), .keys = 2};
  const auto with = [&](std::initializer_list<std::size_t> which) {
    KeyDigest::Bucket bucket = base;
    for (const std::size_t i : which) {
      bucket.sum += touched[i];
      ++bucket.keys;
    }
    return bucket;
  };
  EXPECT_TRUE(explains(base, base, {}));
  EXPECT_TRUE(explains(base, with({0}), touched));
  EXPECT_TRUE(explains(with({0, 2}), base, touched));
  EXPECT_TRUE(explains(with({0}), with({1, 2}), touched));
  EXPECT_FALSE(explains(base, with({0}), {}));
  EXPECT_FALSE(explains(base, with({0}), std::span(touched).subspan(1)));

  KeyDigest::Bucket another = with({0, 1});
  another.sum += hash("c");
  ++another.keys;
  EXPECT_FALSE(explains(base, another, touched));
  KeyDigest::Bucket swapped = base;
  swapped.sum += hash("c") - hash("a");
  EXPECT_FALSE(explains(base, swapped, touched));
  KeyDigest::Bucket miscounted = base;
  ++miscounted.keys;
  EXPECT_FALSE(explains(base, miscounted, touched));
}

TEST(KeyDigest, TooManyTouchedKeysExplainNothing) {
  KeyedHash hash(secret(1));
  std::vector<Uint128> touched;
  for (int i = 0; i < 40; ++i) touched.push_back(hash(std::to_string(i)));
  const KeyDigest::Bucket none, all{.sum = touched[0], .keys = 1};
  EXPECT_FALSE(explains(none, all, touched));
  EXPECT_TRUE(explains(none, all, std::span(touched).first(kMostTouched)));
}

TEST(KeyDigest, IsMadeAgainOfItsBuckets) {
  const auto some = keys(100);
  for (const int bits : {0, 1, 8, KeyDigest::kMaxBucketBits}) {
    const KeyDigest whole = digest_of(some, bits);
    KeyDigest again(std::vector<KeyDigest::Bucket>(whole.buckets().begin(), whole.buckets().end()));
    EXPECT_EQ(again, whole);
    again.merge(whole);
    EXPECT_EQ(again.keys(), 200u);
  }
  for (const std::size_t buckets :
       {std::size_t{0}, std::size_t{3}, std::size_t{2} << KeyDigest::kMaxBucketBits})
    EXPECT_THROW(KeyDigest(std::vector<KeyDigest::Bucket>(buckets)), std::invalid_argument);
}

TEST(KeyDigest, BucketsGrowWithTheTable) {
  EXPECT_EQ(bucket_bits_for(0), 8);
  EXPECT_EQ(bucket_bits_for(1'000'000), 14);
  EXPECT_EQ(bucket_bits_for(std::uint64_t{1} << 40), KeyDigest::kMaxBucketBits);
  EXPECT_LE(KeyDigest::bytes(KeyDigest::kMaxBucketBits), 32u << 20);
}

// The reference's own vectors: https://github.com/veorq/SipHash, vectors.h, vectors_sip128.
TEST(KeyedHash, IsSipHash) {
  KeyedHash::Key key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  KeyedHash hash(key);
  const auto hex = [&](std::string_view text) {
    Uint128 value = hash(text);
    std::string bytes;
    for (int i = 0; i < 16; ++i, value >>= 8) bytes.push_back(static_cast<char>(value & 0xFF));
    return to_hex(bytes);
  };
  EXPECT_EQ(hex(""), "a3817f04ba25a8e66df67214c7550293");
  EXPECT_EQ(hex(std::string_view("\0", 1)), "da87c1d86b99af44347659119b22fc45");
  EXPECT_EQ(hex(""), "a3817f04ba25a8e66df67214c7550293") << "after another text";
}

}  // namespace
}  // namespace messina::item

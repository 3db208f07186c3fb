#include "jobs/page_comparison.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace messina::jobs {

namespace {

/// The seed is no secret: whoever knows it gets the same sample.
KeyedHash::Key key_of(std::uint64_t seed) {
  KeyedHash::Key key{};
  for (std::size_t i = 0; i < sizeof seed; ++i) key[i] = static_cast<std::uint8_t>(seed >> (8 * i));
  return key;
}

}  // namespace

KeySample::KeySample(const VerifyScope& scope) : hash_(key_of(scope.sample_seed)) {
  if (scope.sample) below_ = static_cast<std::uint64_t>(std::ldexp(*scope.sample, 64));
}

bool KeySample::has(std::string_view key_bytes) {
  return !below_ || static_cast<std::uint64_t>(hash_(key_bytes) >> 64) < *below_;
}

PageComparison::PageComparison(const SidesOfItems& sides, KeySample sample, const KeyedHash::Key& secret)
    : sides_(sides), sample_(std::move(sample)), hash_(secret) {}

Result<void> PageComparison::begin(std::span<const std::string_view> records) {
  rows_.clear();
  keys_.clear();
  hashes_.clear();
  by_key_.clear();
  for (const std::string_view raw : records) {
    auto key = item::key_forms(raw, sides_.source_key, sides_.target_key);
    if (!key) return fail(ErrorKind::corrupt, "an item of a page has no key: " + key.error().message);
    if (!sample_.has(key->bytes)) continue;
    hashes_.push_back(hash_(key->bytes));
    rows_.push_back({.raw = raw, .key = std::move(*key)});
  }
  by_key_.reserve(rows_.size());
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    keys_.push_back(rows_[i].key.text);
    by_key_.emplace(rows_[i].key.bytes, i);
  }
  return {};
}

std::span<const std::string_view> PageComparison::keys(std::size_t first, std::size_t most) const {
  return std::span(keys_).subspan(first, std::min(most, keys_.size() - first));
}

bool PageComparison::equal(std::string_view source, std::string_view target) {
  if (sides_.transform.empty()) return comparer_.equal(source, target);
  transformed_.clear();
  // What cannot be renamed was refused when it was copied.
  if (!item::transform_item(source, sides_.transform, transformed_)) return false;
  return comparer_.equal(transformed_, target);
}

Result<void> PageComparison::answered(std::span<const std::string_view> items) {
  for (const std::string_view item : items) {
    const auto key = item::find_key(item, sides_.target_key);
    if (!key) return fail(ErrorKind::corrupt, "an item of the target has no key: " + key.error().message);
    const std::string bytes = item::key_bytes(*key);
    const auto found = by_key_.find(bytes);
    if (found == by_key_.end()) return fail(ErrorKind::corrupt, "the target answered with another item");
    Row& row = rows_[found->second];
    row.equal = equal(row.raw, item);
  }
  return {};
}

Result<std::vector<std::string>> PageComparison::suspects() const {
  std::vector<std::string> keys;
  for (const Row& row : rows_) {
    if (row.equal) continue;
    auto text = item::key_text(row.raw, sides_.source_key);
    if (!text) return fail(std::move(text.error()));
    keys.push_back(std::move(*text));
  }
  return keys;
}

}  // namespace messina::jobs

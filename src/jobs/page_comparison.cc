#include "jobs/page_comparison.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
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

PageComparison::PageComparison(const SidesOfItems& sides, KeySample sample, const KeyedHash::Key& secret,
                               std::size_t keys_at_once)
    : sides_(sides),
      source_keys_(sides.source_key, sides.target_key),
      target_keys_(sides.target_key),
      sample_(std::move(sample)),
      hash_(secret),
      keys_at_once_(keys_at_once) {}

Result<void> PageComparison::begin(std::span<const std::string_view> records) {
  rows_.clear();
  keys_.clear();
  texts_.clear();
  bytes_.clear();
  hashes_.clear();
  indexed_first_ = indexed_end_ = 0;
  known_.clear();
  next_ = 0;
  in_order_ = true;
  for (const std::string_view raw : records) {
    const std::size_t text_at = texts_.size(), bytes_at = bytes_.size();
    const Result<void> found = source_keys_.append(raw, &texts_, &bytes_);
    if (!found) return fail(ErrorKind::corrupt, "an item of a page has no key: " + found.error().message);
    const std::string_view key = std::string_view(bytes_).substr(bytes_at);
    if (!sample_.has(key)) {
      texts_.resize(text_at);
      bytes_.resize(bytes_at);
      continue;
    }
    hashes_.push_back(hash_(key));
    rows_.push_back({.raw = raw,
                     .text_at = static_cast<std::uint32_t>(text_at),
                     .bytes_at = static_cast<std::uint32_t>(bytes_at)});
  }
  const std::string_view texts = texts_;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const std::size_t end = i + 1 < rows_.size() ? rows_[i + 1].text_at : texts.size();
    keys_.push_back(texts.substr(rows_[i].text_at, end - rows_[i].text_at));
  }
  return {};
}

std::string_view PageComparison::key_bytes(std::size_t row) const {
  const std::size_t end = row + 1 < rows_.size() ? rows_[row + 1].bytes_at : bytes_.size();
  return std::string_view(bytes_).substr(rows_[row].bytes_at, end - rows_[row].bytes_at);
}

void PageComparison::index_rows(std::size_t first, std::size_t end) {
  // A page of items does not stay in the nearest caches, and no hardware foresees where an answer goes on.
  constexpr std::size_t kCacheLine = 64;
  constexpr std::size_t kFetchedAhead = 3 * kCacheLine;
  slots_.assign(std::bit_ceil(2 * (end - first)), 0);
  for (std::size_t i = first; i < end; ++i) {
    const std::string_view raw = rows_[i].raw;
    for (std::size_t byte = 0; byte < std::min(raw.size(), kFetchedAhead); byte += kCacheLine)
      __builtin_prefetch(raw.data() + byte);
    std::size_t at = std::hash<std::string_view>()(key_bytes(i));
    while (slots_[at &= slots_.size() - 1] != 0) ++at;
    slots_[at] = static_cast<std::uint32_t>(i + 1);
  }
  indexed_first_ = first;
  indexed_end_ = end;
}

std::optional<std::size_t> PageComparison::find_indexed(std::string_view key) const {
  if (indexed_first_ == indexed_end_) return std::nullopt;
  std::size_t at = std::hash<std::string_view>()(key);
  while (slots_[at &= slots_.size() - 1] != 0) {
    const std::size_t row = slots_[at++] - 1;
    if (key_bytes(row) == key) return row;
  }
  return std::nullopt;
}

std::optional<std::size_t> PageComparison::find(std::string_view key) {
  if (next_ < rows_.size() && key_bytes(next_) == key) return next_;
  std::optional<std::size_t> found = find_indexed(key);
  if (found || indexed_end_ - indexed_first_ == rows_.size()) return found;
  // What was asked for next, or together with what should have come now.
  const std::size_t first = std::max(indexed_end_, next_ - next_ % keys_at_once_);
  if (first < rows_.size()) {
    index_rows(first, std::min(rows_.size(), first + keys_at_once_));
    found = find_indexed(key);
    if (found) return found;
  }
  index_rows(0, rows_.size());
  return find_indexed(key);
}

bool PageComparison::equal(std::string_view source, std::string_view target) {
  if (sides_.transform.empty()) return comparer_.equal(source, target);
  transformed_.clear();
  // What cannot be renamed was refused when it was copied.
  if (!item::transform_item(source, sides_.transform, transformed_)) return false;
  return comparer_.equal(transformed_, target);
}

std::string_view PageComparison::next(std::string_view rest) {
  if (!sides_.transform.empty()) return {};
  // Most often the next one: then its key need not be looked for.
  std::size_t row = next_;
  if (row >= rows_.size() || !rest.starts_with(rows_[row].raw)) {
    answered_bytes_.clear();
    if (!target_keys_.append(rest, nullptr, &answered_bytes_)) return {};
    const std::optional<std::size_t> found = find(answered_bytes_);
    if (!found || !rest.starts_with(rows_[*found].raw)) return {};
    row = *found;
  }
  next_ = row + 1;
  known_.push_back(row);
  return rows_[row].raw;
}

Result<void> PageComparison::answered(std::span<const std::string_view> items) {
  std::size_t known = 0;
  for (const std::string_view item : items) {
    if (known < known_.size() && rows_[known_[known]].raw.data() == item.data()) {
      rows_[known_[known++]].equal = true;
      continue;
    }
    // If all of its attributes are the next one's, so is its key.
    if (in_order_ && next_ < rows_.size() && sides_.transform.empty() &&
        comparer_.equal_by_attributes(rows_[next_].raw, item)) {
      rows_[next_++].equal = true;
      continue;
    }
    answered_bytes_.clear();
    const Result<void> key = target_keys_.append(item, nullptr, &answered_bytes_);
    if (!key) return fail(ErrorKind::corrupt, "an item of the target has no key: " + key.error().message);
    const std::optional<std::size_t> found = find(answered_bytes_);
    if (!found) return fail(ErrorKind::corrupt, "the target answered with another item");
    rows_[*found].equal = equal(rows_[*found].raw, item);
    in_order_ = *found == next_;
    next_ = *found + 1;
  }
  known_.clear();
  return {};
}

Result<std::vector<std::string>> PageComparison::suspects() const {
  const item::KeyReader reader(sides_.source_key);
  std::vector<std::string> keys;
  for (const Row& row : rows_) {
    if (row.equal) continue;
    Result<std::string> key = reader.text(row.raw);
    if (!key) return fail(ErrorKind::corrupt, key.error().message);
    keys.push_back(std::move(*key));
  }
  return keys;
}

}  // namespace messina::jobs

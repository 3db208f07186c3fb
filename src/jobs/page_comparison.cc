#include "jobs/page_comparison.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

namespace messina::jobs {

namespace {

/// The seed is no secret: whoever knows it gets the same sample.
KeyedHash::Key key_of(std::uint64_t seed) {
  KeyedHash::Key key{};
  for (std::size_t i = 0; i < sizeof seed; ++i) key[i] = static_cast<std::uint8_t>(seed >> (8 * i));
  return key;
}

/// To find a row among a few; an unlucky choice of keys takes longer and does no harm else.
std::uint64_t quick_hash(std::string_view bytes) {
  struct Words {
    std::uint64_t one, other;
  };
  std::uint64_t hash = bytes.size();
  const auto mix = [&hash](const Words& words) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15, kOther = 0xd1b54a32d192ed03;
    const Uint128 product = static_cast<Uint128>(hash ^ words.one ^ kOdd) * (words.other ^ kOther);
    hash = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  Words words{};
  if (bytes.size() < sizeof words) {
    std::memcpy(&words, bytes.data(), bytes.size());
    mix(words);
    return hash;
  }
  const std::string_view last = bytes.substr(bytes.size() - sizeof words);
  for (; bytes.size() > sizeof words; bytes.remove_prefix(sizeof words)) {
    std::memcpy(&words, bytes.data(), sizeof words);
    mix(words);
  }
  std::memcpy(&words, last.data(), sizeof words);  // some of them twice, rather than bytewise
  mix(words);
  return hash;
}

/// Rows that are fetched while another is indexed.
constexpr std::size_t kFetchedAhead = 8;

/// Has the beginning of an item come nearer: a page does not stay in the nearest caches, and no hardware
/// foresees where an answer goes on.
void fetch(std::string_view raw) {
  constexpr std::size_t kCacheLine = 64;
  constexpr std::size_t kFetched = 3 * kCacheLine;
  for (std::size_t byte = 0; byte < std::min(raw.size(), kFetched); byte += kCacheLine)
    __builtin_prefetch(raw.data() + byte);
}

}  // namespace

KeySample::KeySample(const VerifyScope& scope) : hash_(key_of(scope.sample_seed)) {
  if (scope.sample) below_ = static_cast<std::uint64_t>(std::ldexp(*scope.sample, 64));
}

bool KeySample::has(std::string_view key_bytes) {
  return !below_ || static_cast<std::uint64_t>(hash_(key_bytes) >> 64) < *below_;
}

bool equal_as_written(item::ItemComparer& comparer, const item::TransformRules& transform,
                      std::string_view source, std::string_view target, std::string& scratch) {
  if (transform.empty()) return comparer.equal(source, target);
  scratch.clear();
  // What cannot be renamed was refused when it was copied.
  return item::transform_item(source, transform, scratch) && comparer.equal(scratch, target);
}

PageComparison::PageComparison(const SidesOfItems& sides, KeySample sample, const KeyedHash::Key& secret)
    : sides_(sides),
      source_keys_(sides.source_key, sides.target_key),
      target_keys_(sides.target_key),
      sample_(std::move(sample)),
      hash_(secret) {}

Result<void> PageComparison::begin(std::span<const std::string_view> records) {
  rows_.clear();
  keys_.clear();
  texts_.clear();
  bytes_.clear();
  hashes_.clear();
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

// -------------------------------------------------------------------------------------------- answers

void RowIndex::make_room(std::size_t rows) { slots_.assign(std::bit_ceil(4 * rows + 1), 0); }

void RowIndex::add(std::uint64_t hash, std::size_t row) {
  std::size_t at = hash & (slots_.size() - 1);
  while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = static_cast<std::uint32_t>(row + 1);
}

void PageComparison::Batch::begin(std::size_t first, std::size_t end) {
  first_ = next_ = first;
  end_ = end;
  in_order_ = in_turn_ = true;
  known_.clear();
  by_text_.clear();
  by_bytes_.clear();
}

std::optional<std::size_t> PageComparison::Batch::find_written(std::string_view rest) {
  const std::string_view text = page_.target_keys_.leading_text(rest);
  if (text.empty()) return std::nullopt;
  if (by_text_.empty()) {
    by_text_.make_room(end_ - first_);
    for (std::size_t i = first_; i < end_; ++i) {
      if (i + kFetchedAhead < end_) fetch(page_.rows_[i + kFetchedAhead].raw);
      // An item that begins with its key begins as the key's text does, but for the last brace.
      const std::string_view of_row = page_.keys_[i].substr(0, page_.keys_[i].size() - 1);
      if (page_.rows_[i].raw.starts_with(of_row)) by_text_.add(quick_hash(of_row), i);
    }
  }
  return by_text_.find(quick_hash(text), [&](std::size_t row) {
    // The whole first: most items are equal, and then it is all that is compared.
    turned_ = !rest.starts_with(page_.rows_[row].raw);
    return !turned_ || page_.rows_[row].raw.starts_with(text);
  });
}

std::optional<std::size_t> PageComparison::Batch::find(std::string_view key) {
  if (next_ < end_ && page_.key_bytes(next_) == key) return next_;
  if (by_bytes_.empty()) {
    by_bytes_.make_room(end_ - first_);
    for (std::size_t i = first_; i < end_; ++i) by_bytes_.add(quick_hash(page_.key_bytes(i)), i);
  }
  return by_bytes_.find(quick_hash(key), [&](std::size_t row) { return page_.key_bytes(row) == key; });
}

std::string_view PageComparison::Batch::next(std::string_view rest) {
  if (!page_.sides_.transform.empty()) return {};
  const auto begins_equal = [&](std::size_t row) {
    return page_.comparer_.begins_equal(page_.rows_[row].raw, rest);
  };
  // Most often the next one, if that was so before: then its key need not be looked for.
  std::size_t row = next_;
  if (row >= end_ || !in_turn_ ||
      !(rest.starts_with(page_.rows_[row].raw) || (turned_ && begins_equal(row)))) {
    std::optional<std::size_t> found = find_written(rest);
    if (!found) {
      page_.answered_bytes_.clear();
      if (!page_.target_keys_.append(rest, nullptr, &page_.answered_bytes_)) return {};
      found = find(page_.answered_bytes_);
      if (!found) return {};
      turned_ = !rest.starts_with(page_.rows_[*found].raw);
    }
    row = *found;
    in_turn_ = row == next_;
    if (turned_ && !begins_equal(row)) return {};
  }
  next_ = row + 1;
  known_.push_back(row);
  return page_.rows_[row].raw;
}

Result<void> PageComparison::Batch::answered(std::span<const std::string_view> items) {
  std::size_t known = 0;
  for (const std::string_view item : items) {
    if (known < known_.size() && page_.rows_[known_[known]].raw.data() == item.data()) {
      page_.rows_[known_[known++]].equal = true;
      continue;
    }
    // If all of its attributes are the next one's, so is its key.
    if (in_order_ && next_ < end_ && page_.sides_.transform.empty() &&
        page_.comparer_.equal_by_attributes(page_.rows_[next_].raw, item)) {
      page_.rows_[next_++].equal = true;
      continue;
    }
    page_.answered_bytes_.clear();
    const Result<void> key = page_.target_keys_.append(item, nullptr, &page_.answered_bytes_);
    if (!key) return fail(ErrorKind::corrupt, "an item of the target has no key: " + key.error().message);
    const std::optional<std::size_t> found = find(page_.answered_bytes_);
    if (!found) return fail(ErrorKind::corrupt, "the target answered with another item");
    page_.rows_[*found].equal = equal_as_written(page_.comparer_, page_.sides_.transform,
                                                 page_.rows_[*found].raw, item, page_.transformed_);
    in_order_ = *found == next_;
    next_ = *found + 1;
  }
  known_.clear();
  return {};
}

}  // namespace messina::jobs

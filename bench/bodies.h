// What the benches send: the requests of a copy or of a verification, made once from a real page.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace messina::bench {

/// The items of one Scan page, kept as a template: every page of a synthetic table looks like its first.
class PageTemplate {
 public:
  /// Throws std::runtime_error if `body` is no Scan answer.
  explicit PageTemplate(std::string body);

  const std::string& body() const { return body_; }
  const std::vector<std::string_view>& items() const { return items_; }

  /// The BatchWriteItem body that puts `count` items from the `first` one on (wrapping around at the end).
  std::string batch_body(std::string_view table, std::size_t first, std::size_t count) const;
  /// The BatchGetItem body that looks up the same items, whose key is the string `pk`.
  std::string lookup_body(std::string_view table, std::size_t first, std::size_t count) const;

 private:
  std::string body_;
  std::vector<std::string_view> items_;
};

/// Sizes of the batches that a page of `items` items is written in.
std::vector<std::size_t> batch_sizes(std::size_t items, std::size_t batch);

/// A Scan request's body; `start_key` is raw JSON, empty at a segment's start.
std::string scan_body(std::string_view table, std::uint32_t segment, std::uint32_t segments,
                      std::string_view start_key);

/// What a pump must know of an answer, found at its two ends without reading the items.
struct PageTail {
  std::string_view last_evaluated_key;  ///< raw JSON object; empty: the segment has ended
  std::size_t count = 0;
};
/// Throws std::runtime_error if there is no Count within 4 KB of either end of the text.
PageTail page_tail(std::string_view body);

}  // namespace messina::bench

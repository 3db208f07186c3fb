// The splitters of GetRecords' and BatchGetItem's answers against the bytewise ones.
#include "base/slab.h"
#include "fuzz/fuzz.h"
#include "item/lookup_page.h"
#include "item/stream_page.h"

using messina::fuzz::require;

namespace {

void is_object(std::string_view raw) {
  require(raw.starts_with('{') && raw.ends_with('}'), "what is found is an object");
}

void split_records(const messina::Slab& body, std::string_view text) {
  static messina::item::StreamPageSplitter splitter;
  static messina::item::StreamPageSpans fast, slow;
  const bool accepted = splitter.split(body.view(), fast).has_value();
  // On the bare input, so that the address sanitizer sees a byte too far.
  require(accepted == messina::item::split_stream_page_bytewise(text, slow).has_value(), "both or neither");
  require(fast.records.size() == slow.records.size(), "both find as many records");
  require(fast.next_iterator == slow.next_iterator, "both find the same iterator");
  for (std::size_t i = 0; i < slow.records.size(); ++i) {
    const auto& a = fast.records[i];
    const auto& b = slow.records[i];
    require(a.keys == b.keys && a.new_image == b.new_image && a.old_image == b.old_image, "the same images");
    require(a.sequence_number == b.sequence_number && a.removed == b.removed, "the same change");
    require(a.by_service == b.by_service && a.created_unix_s == b.created_unix_s, "the same cause and time");
    is_object(b.keys);
    if (!b.new_image.empty()) is_object(b.new_image);
    if (!b.old_image.empty()) is_object(b.old_image);
  }
}

void split_lookup(const messina::Slab& body, std::string_view text) {
  static messina::item::LookupSplitter splitter;
  static messina::item::LookupSpans fast, slow;
  const bool accepted = splitter.split(body.view(), fast).has_value();
  require(accepted == messina::item::split_lookup_bytewise(text, slow).has_value(), "both or neither");
  require(fast.items == slow.items && fast.unprocessed_keys == slow.unprocessed_keys, "the same spans");
  require(fast.consumed_capacity == slow.consumed_capacity, "the same cost");
  for (const auto item : slow.items) is_object(item);
  for (const auto key : slow.unprocessed_keys) is_object(key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = messina::fuzz::input(data, size);
  messina::Slab body(size);
  body.append(text);
  split_records(body, text);
  split_lookup(body, text);
  return 0;
}

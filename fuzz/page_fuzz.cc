// The page splitter against the bytewise one, and both against simdjson's DOM parser.
#include <simdjson.h>

#include "base/slab.h"
#include "fuzz/fuzz.h"
#include "item/page.h"

using messina::fuzz::require;

namespace {

// What the splitter accepts, simdjson's parser accepts too, but for numbers that fit no machine type, bytes
// that are not UTF-8 and halves of surrogate pairs.
void ask_simdjson(std::string_view text) {
  static simdjson::dom::parser parser;
  const auto error = parser.parse(text.data(), text.size()).error();
  require(error == simdjson::SUCCESS || error == simdjson::NUMBER_ERROR || error == simdjson::UTF8_ERROR ||
              error == simdjson::STRING_ERROR,
          "what is accepted is JSON");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static messina::item::PageSplitter splitter;
  static messina::item::PageSpans fast, slow;
  const std::string_view text = messina::fuzz::input(data, size);
  messina::Slab body(size);
  body.append(text);
  const bool accepted = splitter.split(body.view(), fast).has_value();
  // On the bare input, so that the address sanitizer sees a byte too far.
  require(accepted == messina::item::split_page_bytewise(text, slow).has_value(), "both accept, or neither");
  require(fast.items == slow.items, "both find the same items");
  require(fast.last_evaluated_key == slow.last_evaluated_key, "both find the same key");
  require(fast.count == slow.count && fast.consumed_capacity == slow.consumed_capacity,
          "both find the same figures");
  if (!accepted) return 0;
  ask_simdjson(text);
  for (const std::string_view item : slow.items) {
    require(item.starts_with('{') && item.ends_with('}'), "an item is an object");
    ask_simdjson(item);
  }
  return 0;
}

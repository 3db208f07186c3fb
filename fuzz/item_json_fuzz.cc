// Items: what is accepted is written and read back equal, by both sets of rules, and strict accepts no more
// than lenient.
#include "fuzz/fuzz.h"
#include "item/compare.h"
#include "item/item_json.h"
#include "item/transform.h"

using messina::fuzz::require;
using namespace messina::item;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = messina::fuzz::input(data, size);
  const JsonRules strict{.numbers = Number::Limits::dynamodb, .max_nesting = kMaxNesting, .strict = true};
  const auto item = parse_item(text);
  const auto strict_item = parse_item(text, strict);
  require(item.has_value() || !strict_item.has_value(), "strict accepts no more than lenient");
  if (strict_item) require(equal(*item, *strict_item), "what both accept, both read alike");
  if (!item) return 0;

  const std::string json = to_json(*item);
  const auto again = parse_item(json);
  require(again.has_value(), "what is written is read back");
  require(equal(*again, *item) && to_json(*again) == json, "and is the same");
  if (strict_item) require(parse_item(json, strict).has_value(), "and is strict if it was");

  std::string renamed;
  if (transform_item(text, {{{"a", "b"}}, {"c"}}, renamed)) {
    const auto after = parse_item(renamed);
    require(after.has_value(), "a transformed item is an item");
    Item expected = *item;
    expected.erase("c");
    if (auto node = expected.extract("a")) {
      node.key() = "b";
      expected.insert(std::move(node));
    }
    require(equal(*after, expected), "a transformed item has the right attributes");
  }
  return 0;
}

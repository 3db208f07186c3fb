// Numbers: what is rendered is read back, the order and the sums are consistent. The input is two numbers,
// parted by a line feed.
#include "fuzz/fuzz.h"
#include "item/key.h"
#include "item/number.h"

using messina::fuzz::require;
using messina::item::Number;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = messina::fuzz::input(data, size);
  const std::size_t cut = text.find('\n');
  const auto a = Number::parse(text.substr(0, cut));
  const auto b =
      cut == std::string_view::npos ? std::optional(Number()) : Number::parse(text.substr(cut + 1));
  if (!a || !b) return 0;

  const std::string rendered = a->to_string();
  require(rendered.size() <= messina::item::kMaxNumberText, "what is rendered is bounded");
  require(Number::parse(rendered) == a, "what is rendered is read back");
  require(Number::parse(rendered, Number::Limits::dynamodb).has_value() == a->fits_dynamodb(),
          "limits agree");
  require((*a <=> *b) == (0 <=> (*b <=> *a)), "order is antisymmetric");
  require((*a == *b) == ((*a <=> *b) == 0), "order agrees with equality");
  require((*a + *b) - *b == *a, "a sum is undone by a difference");
  require(((*a - *b) <=> Number()) == (*a <=> *b), "the sign of a difference agrees with order");
  const auto bytes = [](const Number& n) { return messina::item::key_bytes({messina::item::Value{n}, {}}); };
  require((bytes(*a) <=> bytes(*b)) == (*a <=> *b), "key bytes order as numbers do");
  return 0;
}

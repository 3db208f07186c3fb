#include "item/transform.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace messina::item {
namespace {

const KeySchema kSchema{{"p", Type::S}, KeyAttribute{"c", Type::N}};

std::string transformed(std::string_view raw, const TransformRules& rules) {
  std::string out = "before";
  const auto done = transform_item(raw, rules, out);
  if (!done) {
    EXPECT_EQ(done.error().kind, ErrorKind::refused);
    EXPECT_EQ(out, "before");
    return done.error().message;
  }
  EXPECT_TRUE(out.starts_with("before"));
  return out.substr(6);
}

TEST(Transform, RenamesAndDropsAtTheTopOnly) {
  const TransformRules rules{{{"a", "new \"a\""}}, {"x"}};
  EXPECT_EQ(transformed(R"({"a":{"S":"1"},"x":{"S":"2"},"b":{"M":{"a":{"S":"3"},"x":{"S":"4"}}}})", rules),
            R"({"new \"a\"":{"S":"1"},"b":{"M":{"a":{"S":"3"},"x":{"S":"4"}}}})");
  EXPECT_EQ(transformed(R"({"x":{"S":"2"}})", rules), "{}");
  EXPECT_EQ(transformed("{}", rules), "{}");
  EXPECT_EQ(transformed(R"({"b":{"S":"1"}})", {}), R"({"b":{"S":"1"}})");
}

TEST(Transform, KeepsTheBytesOfValuesAndOtherNames) {
  EXPECT_EQ(
      transformed(
          "{ \"a\" : { \"S\" :\t\"\\u0041\xff\" } ,\n \"\\u0062\":{\"N\":\"1E+3\"} , \"x\":{\"S\":\"\"}} ",
          {{{"a", "z"}}, {"x"}}),
      "{\"z\":{ \"S\" :\t\"\\u0041\xff\" },\"\\u0062\":{\"N\":\"1E+3\"}}");
}

TEST(Transform, ComparesNamesUnescaped) {
  const TransformRules rules{{{"A", "B"}}, {"x/é"}};
  EXPECT_EQ(transformed(R"({"\u0041":{"S":"1"},"x\/\u00e9":{"S":"2"},"\u0041\u0041":{"S":"3"}})", rules),
            R"({"B":{"S":"1"},"\u0041\u0041":{"S":"3"}})");
  EXPECT_EQ(transformed(R"({"A":{"S":"1"},"\u0042":{"S":"2"}})", rules),
            R"(attribute "A" cannot be renamed to "B": the item has both)");
}

TEST(Transform, RefusesToLoseAnAttribute) {
  const TransformRules rules{{{"a", "b"}}, {}};
  EXPECT_EQ(transformed(R"({"a":{"S":"1"},"b":{"S":"2"}})", rules),
            R"(attribute "a" cannot be renamed to "b": the item has both)");
  EXPECT_EQ(transformed(R"({"b":{"S":"2"},"a":{"S":"1"}})", rules),
            R"(attribute "a" cannot be renamed to "b": the item has both)");
  EXPECT_EQ(transformed(R"({"b":{"S":"2"}})", rules), R"({"b":{"S":"2"}})");
  // Where the other one leaves the name, nothing is lost.
  EXPECT_EQ(transformed(R"({"a":{"S":"1"},"b":{"S":"2"}})", {{{"a", "b"}, {"b", "a"}}, {}}),
            R"({"b":{"S":"1"},"a":{"S":"2"}})");
  EXPECT_EQ(transformed(R"({"a":{"S":"1"},"b":{"S":"2"}})", {{{"a", "b"}}, {"b"}}), R"({"b":{"S":"1"}})");
  EXPECT_EQ(transformed(R"({"a":{"S":"1"}})", {{{"a", "a"}}, {}}), R"({"a":{"S":"1"}})");
}

TEST(Transform, RefusesWhatIsNoObject) {
  for (const std::string_view raw : {"", "[]", "{", R"({"a":{"S":"1"})", R"({"a":{"S":"1"}}x)", R"({"a"})"}) {
    EXPECT_EQ(transformed(raw, {{{"a", "b"}}, {}}), "the item is not JSON") << raw;
  }
}

TEST(TransformRules, AreCheckedAgainstTheKey) {
  const auto check = [](const TransformRules& rules) {
    const auto done = check_rules(rules, kSchema);
    if (done) return std::string("fine");
    EXPECT_EQ(done.error().kind, ErrorKind::config);
    return done.error().message;
  };
  EXPECT_EQ(check({}), "fine");
  EXPECT_EQ(check({{{"p", "pk"}, {"a", "b"}}, {"x"}}), "fine");
  EXPECT_EQ(check({{{"p", "c"}, {"c", "p"}}, {}}), "fine");
  EXPECT_EQ(check({{{"a", "b"}}, {"b"}}), "fine");
  EXPECT_EQ(check({{}, {"c"}}), R"(attribute "c" cannot be dropped: it belongs to the table's key)");
  EXPECT_EQ(check({{{"a", "b"}}, {"a"}}), R"(attribute "a" is both renamed and dropped: choose one)");
  EXPECT_EQ(check({{{"a", "z"}, {"b", "z"}}, {}}),
            R"(two attributes are renamed to "z": choose another name for one of them)");
  EXPECT_EQ(check({{{"a", ""}}, {}}), R"(attribute "a" cannot be renamed to an empty name)");
  EXPECT_EQ(check({{{"a", "p"}}, {}}),
            R"(attribute "a" cannot be renamed to "p": the table's key has an attribute of that name)");
}

TEST(TransformRules, RenameTheSchemaToo) {
  const KeySchema renamed = transform_schema(kSchema, {{{"p", "c"}, {"c", "id"}, {"x", "p"}}, {}});
  EXPECT_EQ(renamed, (KeySchema{{"c", Type::S}, KeyAttribute{"id", Type::N}}));
  EXPECT_EQ(transform_schema({{"p", Type::B}, {}}, {}), (KeySchema{{"p", Type::B}, {}}));
}

TEST(TransformProperties, SwappingTwiceGivesTheItemBack) {
  Random random(8);
  const TransformRules swap{{{"a", "b"}, {"b", "a"}}, {}};
  for (int i = 0; i < 2'000; ++i) {
    std::string raw = "{";
    for (const char* const name : {"a", "b", "c", "ab"}) {
      if (random.chance(0.4)) continue;
      if (raw.size() > 1) raw += ',';
      raw += "\"" + std::string(name) + R"(":{"N":")" + std::to_string(random.below(100)) + "\"}";
    }
    raw += '}';
    ASSERT_EQ(transformed(transformed(raw, swap), swap), raw);
  }
}

}  // namespace
}  // namespace messina::item

#include "jobs/index_entries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

using ::testing::ElementsAre;

const item::KeySchema kTable{{"p", item::Type::S}, item::KeyAttribute{"c", item::Type::N}};
const item::KeySchema kIndex{{"g", item::Type::S}, item::KeyAttribute{"c", item::Type::N}};

TEST(IndexEntries, AnItemAndItsEntryAreTheSame) {
  IndexEntries entries(kTable, kIndex, {1, 2});
  const auto hash = [&](std::string_view raw) { return entries.read(raw)->hash; };
  const auto item = hash(R"({"p":{"S":"a"},"c":{"N":"10"},"g":{"S":"x"},"more":{"S":"y"}})");
  ASSERT_TRUE(item);
  EXPECT_TRUE(item == hash(R"({"g":{"S":"x"},"c":{"N":"1e1"},"p":{"S":"a"}})"));
  EXPECT_FALSE(item == hash(R"({"g":{"S":"y"},"c":{"N":"10"},"p":{"S":"a"}})"));
  EXPECT_FALSE(item == hash(R"({"g":{"S":"x"},"c":{"N":"11"},"p":{"S":"a"}})"));
  EXPECT_EQ(entries.read(R"({"g":{"S":"x"},"c":{"N":"1e1"},"p":{"S":"a"}})")->key,
            R"({"p":{"S":"a"},"c":{"N":"1e1"}})");
}

TEST(IndexEntries, WhatLacksAnAttributeOfTheIndexIsNotInIt) {
  IndexEntries entries(kTable, kIndex, {});
  EXPECT_FALSE(entries.read(R"({"p":{"S":"a"},"c":{"N":"10"}})")->hash);
  EXPECT_FALSE(entries.read(R"({"p":{"S":"a"},"c":{"N":"10"},"g":{"N":"1"}})")->hash) << "of another type";
  EXPECT_EQ(entries.read(R"({"c":{"N":"10"},"g":{"S":"x"}})").error().kind, ErrorKind::corrupt);
}

TEST(IndexEntries, EachAttributeIsAskedForOnce) {
  EXPECT_THAT(attributes_of(kTable, kIndex), ElementsAre("p", "c", "g"));
}

TEST(IndexPlace, SaysWhatIsMissingAndWhatIsTooMany) {
  const auto place = [](std::optional<Uint128> wanted, std::vector<Uint128> held) {
    const IndexPlace at{.wanted = wanted, .after = wanted, .held = std::move(held)};
    return std::pair(at.lacks(), at.extra());
  };
  EXPECT_EQ(place({}, {}), std::pair(false, std::size_t{0}));
  EXPECT_EQ(place(1, {1}), std::pair(false, std::size_t{0}));
  EXPECT_EQ(place(1, {}), std::pair(true, std::size_t{0}));
  EXPECT_EQ(place({}, {1}), std::pair(false, std::size_t{1}));
  EXPECT_EQ(place(1, {2, 3}), std::pair(true, std::size_t{2}));
  EXPECT_EQ(place(1, {2, 1}), std::pair(false, std::size_t{1}));
}

}  // namespace
}  // namespace messina::jobs

#include "endpoints/batch_write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::endpoints {
namespace {

const item::KeySchema kKey{{"p", item::Type::S}, item::KeyAttribute{"c", item::Type::N}};

TEST(BatchWriteBody, CopiesTheItemsByteForByte) {
  const std::vector<std::string_view> records = {R"({"p":{"S":"a"}, "odd" : {"N":"1.0"}})",
                                                 "{\"p\":{\"S\":\"\xFF\"}}"};
  Slab out;
  const BatchWriteBody body("orders", true);
  body.build(records, out);
  EXPECT_EQ(out.view(),
            "{\"RequestItems\":{\"orders\":[{\"PutRequest\":{\"Item\":{\"p\":{\"S\":\"a\"}, \"odd\" : "
            "{\"N\":\"1.0\"}}}},"
            "{\"PutRequest\":{\"Item\":{\"p\":{\"S\":\"\xFF\"}}}}]},\"ReturnConsumedCapacity\":\"TOTAL\"}");
  EXPECT_GE(body.size(records), out.size());
}

TEST(BatchWriteBody, ItsPiecesAreTheSameBytes) {
  const BatchWriteBody body("orders", true);
  const std::vector<std::string_view> records = {R"({"p":{"S":"a"}})", R"({"p":{"S":"b"}})",
                                                 R"({"p":{"S":"c"}})"};
  for (std::size_t count = 0; count <= records.size(); ++count) {
    const std::span some = std::span(records).first(count);
    Slab together;
    body.build(some, together);
    std::vector<std::string_view> pieces = {"what was there before"};
    body.pieces(some, pieces);
    std::string joined;
    for (const auto piece : pieces) joined += piece;
    EXPECT_EQ(joined, together.view());
    for (const auto record : some)
      EXPECT_TRUE(std::ranges::any_of(pieces, [&](auto piece) { return piece.data() == record.data(); }));
  }
}

TEST(BatchWriteBody, ReusesItsBufferWithoutGrowing) {
  const std::string large(100'000, 'x');
  const std::vector<std::string_view> many(100, large), one(1, "{}");
  const BatchWriteBody body("t", false);
  Slab out(body.size(many));
  const auto* memory = out.data();
  body.build(many, out);
  body.build(one, out);
  EXPECT_EQ(out.data(), memory);
  EXPECT_EQ(out.view(), R"({"RequestItems":{"t":[{"PutRequest":{"Item":{}}}]}})");
}

TEST(BatchWriteBody, TakesPutsAndDeletesTogether) {
  const std::vector<WriteRequest> requests = {
      {R"({"p":{"S":"a"}})", true}, {R"({"p":{"S":"b"},"v":{"N":"1"}})"}, {R"({"p":{"S":"c"}})", true}};
  const BatchWriteBody body("t", false);
  Slab out;
  body.build(requests, out);
  EXPECT_EQ(
      out.view(),
      R"({"RequestItems":{"t":[{"DeleteRequest":{"Key":{"p":{"S":"a"}}}},)"
      R"({"PutRequest":{"Item":{"p":{"S":"b"},"v":{"N":"1"}}}},{"DeleteRequest":{"Key":{"p":{"S":"c"}}}}]}})");
  EXPECT_GE(body.size(requests), out.size());
}

TEST(BatchWriteAnswer, CommonAnswersNeedNoParse) {
  EXPECT_TRUE(says_all_written(R"({"UnprocessedItems":{}})"));
  for (const auto* other : {"", "{}", R"({"UnprocessedItems":{"t":[]}})", R"({"UnprocessedItems":{}} )"}) {
    EXPECT_FALSE(says_all_written(other)) << other;
  }
}

TEST(BatchWriteAnswer, CapacityAndUnprocessedItems) {
  const auto all = parse_batch_write(
      R"({"ConsumedCapacity":[{"TableName":"t","CapacityUnits":25.0},{"CapacityUnits":0.5}],"UnprocessedItems":{}})",
      "t");
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->wcu, 25.5);
  EXPECT_TRUE(all->unprocessed.empty());
  const auto some = parse_batch_write(
      R"({"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"p":{"S":"a"},"c":{"N":"1"}}}}]}})", "t");
  ASSERT_TRUE(some.has_value());
  EXPECT_THAT(some->unprocessed, testing::ElementsAre(R"({"p":{"S":"a"},"c":{"N":"1"}})"));
  const auto deletes = parse_batch_write(
      R"({"UnprocessedItems":{"t":[{"DeleteRequest":{"Key":{"p":{"S":"a"},"c":{"N":"1"}}}}]}})", "t");
  ASSERT_TRUE(deletes.has_value());
  EXPECT_THAT(deletes->unprocessed, testing::ElementsAre(R"({"p":{"S":"a"},"c":{"N":"1"}})"));
}

TEST(BatchWriteAnswer, WhatIsNoAnswerIsCorrupt) {
  for (const auto* bad :
       {"", "[]", "{}", R"({"UnprocessedItems":[]})", R"({"UnprocessedItems":{"other":[]}})",
        R"({"UnprocessedItems":{"t":{}}})", R"({"UnprocessedItems":{"t":[{"DeleteRequest":{}}]}})",
        R"({"UnprocessedItems":{"t":[{"PutRequest":{"Item":1}}]}})", R"({"UnprocessedItems":{})"}) {
    const auto answer = parse_batch_write(bad, "t");
    ASSERT_FALSE(answer.has_value()) << bad;
    EXPECT_EQ(answer.error().kind, ErrorKind::corrupt);
  }
}

TEST(BatchWriteAnswer, ItemsOfAnyDepthComeBack) {
  std::string deep = R"({"N":"1"})";
  for (int i = 0; i < 40; ++i) deep = R"({"M":{"a":)" + deep + "}}";
  const auto answer =
      parse_batch_write(R"({"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"p":)" + deep + "}}}]}}", "t");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->unprocessed.size(), 1u);
}

TEST(MatchByKey, FindsRecordsWhateverTheirText) {
  const std::vector<std::string_view> records = {R"({"p":{"S":"a"},"c":{"N":"1"},"x":{"S":"y"}})",
                                                 R"({"c":{"N":"2"},"p":{"S":"a"}})",
                                                 R"({"p":{"S":"\u00e9"},"c":{"N":"3"}})"};
  const std::vector<std::string> unprocessed = {"{\"p\":{\"S\":\"\xC3\xA9\"},\"c\":{\"N\":\"3.0\"}}",
                                                R"({"x":{"S":"y"},"c":{"N":"1"},"p":{"S":"a"}})"};
  EXPECT_EQ(match_by_key(unprocessed, records, kKey), (std::vector<std::uint32_t>{0, 2}));
  const std::vector<std::string> foreign = {R"({"p":{"S":"b"},"c":{"N":"1"}})"};
  EXPECT_EQ(match_by_key(foreign, records, kKey).error().kind, ErrorKind::corrupt);
  const std::vector<std::string> keyless = {R"({"p":{"S":"b"}})"};
  EXPECT_EQ(match_by_key(keyless, records, kKey).error().kind, ErrorKind::corrupt);
}

TEST(MatchByKey, OfKeysThatAreWrittenInTwoWaysBothMayBeUnprocessed) {
  const std::vector<std::string_view> records = {R"({"p":{"S":"a"},"c":{"N":"1000"}})",
                                                 R"({"p":{"S":"a"},"c":{"N":"2"}})",
                                                 R"({"p":{"S":"a"},"c":{"N":"1e3"}})"};
  const std::vector<std::string> unprocessed = {R"({"p":{"S":"a"},"c":{"N":"1000"}})"};
  EXPECT_EQ(match_by_key(unprocessed, records, kKey), (std::vector<std::uint32_t>{0, 2}));
}

}  // namespace
}  // namespace messina::endpoints

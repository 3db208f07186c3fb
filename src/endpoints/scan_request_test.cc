#include "endpoints/scan_request.h"

#include <gtest/gtest.h>

namespace messina::endpoints {
namespace {

constexpr std::uint64_t kGiB = 1ull << 30;

TEST(Segments, FromTheTablesSize) {
  const auto count = [](std::optional<std::uint64_t> size, std::uint32_t lanes) {
    return segment_count(size, {std::nullopt, lanes});
  };
  EXPECT_EQ(count(std::nullopt, 4), 16u) << "unknown: enough to even out";
  EXPECT_EQ(count(0, 4), 16u) << "DynamoDB's size is hours old: 0 says nothing";
  EXPECT_EQ(count(1'000'000, 4), 4u);
  EXPECT_EQ(count(10'000'000, 4), 16u);
  EXPECT_EQ(count(100 * kGiB, 4), 50u);
  EXPECT_EQ(count(100 * kGiB + 1, 4), 51u);
  EXPECT_EQ(count(1ull << 60, 4), kMaxSegments);
  EXPECT_EQ(count(std::nullopt, 0), 4u);
  EXPECT_EQ(segment_count(100 * kGiB, {7, 4}), 7u);
  EXPECT_EQ(segment_count({}, {0, 4}), 1u);
}

TEST(Segments, UnitsArePlainData) {
  const auto unit = segment_unit({3, 16});
  EXPECT_EQ(unit.id, "segment 3/16");
  EXPECT_EQ(unit.spec, R"({"v":1,"segment":3,"total":16})");
  EXPECT_EQ(parse_segment(unit), (Segment{3, 16}));
  for (const auto* bad : {"", "{}", "[]", R"({"v":2,"segment":3,"total":16})",
                          R"({"v":1,"segment":16,"total":16})", R"({"v":1,"segment":-1,"total":16})",
                          R"({"v":1,"segment":0,"total":1000001})", R"({"v":1,"segment":"0","total":1})"}) {
    EXPECT_EQ(parse_segment({"segment 3/16", bad}).error().kind, ErrorKind::config) << bad;
  }
}

TEST(Cursors, CarryTheKeyAsItWasWritten) {
  const std::string key = "{\"p\":{\"S\":\"}\xFF\"}, \"c\":{\"N\":\"1e3\"}}";
  const auto cursor = cursor_after(key);
  EXPECT_EQ(cursor.bytes, "{\"v\":1,\"key\":" + key + "}");
  EXPECT_EQ(key_in(cursor), key);
  EXPECT_EQ(key_in(Cursor{}), "");
  for (const auto* bad : {"x", R"({"v":2,"key":{}})", R"({"v":1,"key":)", R"({"v":1,"key":7})"}) {
    EXPECT_EQ(key_in(Cursor{bad}).error().kind, ErrorKind::config) << bad;
  }
}

TEST(ScanRequest, Texts) {
  EXPECT_EQ(scan_request({"t", {0, 1}, "", false, 1}),
            R"({"TableName":"t","ConsistentRead":true,"Limit":1})");
  EXPECT_EQ(scan_request({"t", {0, 1}, "", false, 7, false}),
            R"({"TableName":"t","ConsistentRead":false,"Limit":7})");
  EXPECT_EQ(
      scan_request({"t", {3, 16}, "", true, {}}),
      R"({"TableName":"t","ConsistentRead":true,"ReturnConsumedCapacity":"TOTAL","Segment":3,"TotalSegments":16})");
  EXPECT_EQ(
      scan_request({"t", {3, 16}, R"({"p":{"S":"a"}})", false, {}}),
      R"({"TableName":"t","ConsistentRead":true,"Segment":3,"TotalSegments":16,"ExclusiveStartKey":{"p":{"S":"a"}}})");
}

TEST(ScanRequest, SomeAttributesOfAnIndex) {
  const std::vector<std::string> names{"p", "size", "a\"b"};
  EXPECT_EQ(
      scan_request({.table = "t",
                    .segment = {0, 1},
                    .start_key = "",
                    .consistent = false,
                    .index = "by_size",
                    .attributes = names}),
      R"({"TableName":"t","ConsistentRead":false,"IndexName":"by_size","ProjectionExpression":"#0,#1,#2",)"
      R"("ExpressionAttributeNames":{"#0":"p","#1":"size","#2":"a\"b"}})");
}

TEST(ScanRequest, EstimatedCapacity) {
  EXPECT_EQ(estimated_rcu(1), 1);
  EXPECT_EQ(estimated_rcu(4096), 1);
  EXPECT_EQ(estimated_rcu(1 << 20), 256);
}

}  // namespace
}  // namespace messina::endpoints

#include "endpoints/batch_get.h"

#include <gtest/gtest.h>

namespace messina::endpoints {
namespace {

TEST(BatchGetRequest, AsksConsistentlyForTheKeysAsTheyAre) {
  const std::vector<std::string_view> keys = {R"({"p":{"N":"1E+3"}})", R"({"p":{"N":"2"}})"};
  EXPECT_EQ(
      batch_get_request({"o\"s"}, keys, false),
      R"({"RequestItems":{"o\"s":{"ConsistentRead":true,"Keys":[{"p":{"N":"1E+3"}},{"p":{"N":"2"}}]}}})");
  EXPECT_EQ(batch_get_request({"t"}, std::span(keys).first(1), true),
            R"({"RequestItems":{"t":{"ConsistentRead":true,"Keys":[{"p":{"N":"1E+3"}}]}},)"
            R"("ReturnConsumedCapacity":"TOTAL"})");
}

}  // namespace
}  // namespace messina::endpoints

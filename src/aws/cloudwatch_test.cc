#include "aws/cloudwatch.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace messina::aws {
namespace {

WallTime at(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

TEST(CloudWatch, AsksForBothSumsByTheMinute) {
  const std::string request = consumed_units_request("or\"ders", at(1'700'000'040), at(1'700'000'340));
  const auto parsed = boost::json::parse(request);
  EXPECT_EQ(parsed.at("StartTime"), 1'700'000'040);
  EXPECT_EQ(parsed.at("EndTime"), 1'700'000'340);
  const auto& queries = parsed.at("MetricDataQueries").as_array();
  ASSERT_EQ(queries.size(), 2u);
  EXPECT_EQ(queries[0].at("Id"), "reads");
  EXPECT_EQ(queries[0].at("MetricStat").at("Period"), 60);
  EXPECT_EQ(queries[0].at("MetricStat").at("Stat"), "Sum");
  EXPECT_EQ(queries[0].at("MetricStat").at("Metric").at("MetricName"), "ConsumedReadCapacityUnits");
  EXPECT_EQ(queries[1].at("MetricStat").at("Metric").at("MetricName"), "ConsumedWriteCapacityUnits");
  EXPECT_EQ(queries[1].at("MetricStat").at("Metric").at("Namespace"), "AWS/DynamoDB");
  EXPECT_EQ(queries[1].at("MetricStat").at("Metric").at("Dimensions").at(0).at("Value"), "or\"ders");
}

TEST(CloudWatch, ReadsThePointsByTime) {
  const auto consumed = parse_consumed_units(
      R"({"MetricDataResults":[{"Id":"reads","Label":"x","Timestamps":[1700000100.0,1.70000004E9],"Values":[30,12.5],"StatusCode":"Complete"},)"
      R"({"Id":"writes","Timestamps":[],"Values":[]},{"Id":"other","Timestamps":[1],"Values":[1]}],"Messages":[]})");
  ASSERT_TRUE(consumed) << consumed.error().message;
  EXPECT_EQ(consumed->reads, (std::vector<MetricPoint>{{at(1'700'000'040), 12.5}, {at(1'700'000'100), 30}}));
  EXPECT_TRUE(consumed->writes.empty());
}

TEST(CloudWatch, RefusesWhatIsNoAnswer) {
  for (const char* body :
       {"", "[]", "{}", R"({"MetricDataResults":[1]})", R"({"MetricDataResults":[{"Id":"reads"}]})",
        R"({"MetricDataResults":[{"Id":"reads","Timestamps":[1],"Values":[]}]})",
        R"({"MetricDataResults":[{"Id":"reads","Timestamps":[1e300],"Values":[1]}]})",
        R"({"MetricDataResults":[{"Id":"reads","Timestamps":["x"],"Values":[1]}]})"}) {
    EXPECT_EQ(parse_consumed_units(body).error().kind, ErrorKind::corrupt) << body;
  }
}

}  // namespace
}  // namespace messina::aws

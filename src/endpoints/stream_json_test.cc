#include "endpoints/stream_json.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::endpoints {
namespace {

using ::testing::HasSubstr;

TEST(StreamJson, ADescriptionIsGatheredOverItsPages) {
  StreamDescription stream;
  const auto more = parse_describe_stream(
      R"({"StreamDescription":{"StreamArn":"a","StreamStatus":"ENABLED","StreamViewType":"NEW_IMAGE","Shards":[)"
      R"({"ShardId":"s1","SequenceNumberRange":{"StartingSequenceNumber":"1","EndingSequenceNumber":"2"}},)"
      R"({"ShardId":"s2","ParentShardId":"s1","SequenceNumberRange":{"StartingSequenceNumber":"3"}}],)"
      R"("LastEvaluatedShardId":"s2"}})",
      stream);
  ASSERT_TRUE(more);
  EXPECT_EQ(*more, ShardId{"s2"});
  const auto end = parse_describe_stream(
      R"({"StreamDescription":{"StreamStatus":"DISABLED","StreamViewType":"NEW_IMAGE","Shards":[{"ShardId":"s3"}]}})",
      stream);
  ASSERT_TRUE(end);
  EXPECT_EQ(*end, std::nullopt);
  EXPECT_EQ(stream.status, StreamStatus::disabled);
  EXPECT_EQ(stream.view, StreamView::new_image);
  const std::vector<ShardInfo> expected{
      {{"s1"}, std::nullopt, true}, {{"s2"}, ShardId{"s1"}, false}, {{"s3"}, std::nullopt, false}};
  EXPECT_EQ(stream.shards, expected);
}

TEST(StreamJson, WhatIsNoDescriptionIsSaid) {
  for (const auto& [body, says] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "no JSON object"},
           {"{}", "StreamDescription"},
           {R"({"StreamDescription":{"StreamViewType":"NEW_IMAGE"}})", "StreamStatus"},
           {R"({"StreamDescription":{"StreamStatus":"ENABLED","StreamViewType":"ALL"}})", "StreamViewType"},
           {R"({"StreamDescription":{"StreamStatus":"ENABLED","StreamViewType":"NEW_IMAGE","Shards":[{}]}})",
            "without a name"},
           {R"({"StreamDescription":{"StreamStatus":"ENABLED","StreamViewType":"NEW_IMAGE","Shards":[7]}})",
            "no object"},
       }) {
    StreamDescription stream;
    const auto parsed = parse_describe_stream(body, stream);
    ASSERT_FALSE(parsed) << body;
    EXPECT_EQ(parsed.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(parsed.error().message, HasSubstr(says));
  }
}

TEST(StreamJson, TheLatestStreamIsTheTables) {
  EXPECT_EQ(*parse_latest_stream(R"({"Table":{"LatestStreamArn":"arn:x"}})"), StreamArn{"arn:x"});
  EXPECT_EQ(*parse_latest_stream(R"({"Table":{}})"), std::nullopt);
  EXPECT_FALSE(parse_latest_stream(R"({})"));
}

TEST(StreamJson, RequestsAreJsonWhateverTheNames) {
  const StreamArn arn{"arn:\"x\""};
  const auto first = boost::json::parse(describe_stream_request(arn, std::nullopt));
  EXPECT_EQ(first.at("StreamArn"), "arn:\"x\"");
  EXPECT_FALSE(first.as_object().contains("ExclusiveStartShardId"));
  EXPECT_EQ(boost::json::parse(describe_stream_request(arn, ShardId{"s"})).at("ExclusiveStartShardId"), "s");

  const auto oldest = boost::json::parse(shard_iterator_request(arn, {"s"}, {}));
  EXPECT_EQ(oldest.at("ShardIteratorType"), "TRIM_HORIZON");
  EXPECT_FALSE(oldest.as_object().contains("SequenceNumber"));
  const auto after = boost::json::parse(shard_iterator_request(arn, {"s"}, {SequenceNumber{"42"}}));
  EXPECT_EQ(after.at("ShardIteratorType"), "AFTER_SEQUENCE_NUMBER");
  EXPECT_EQ(after.at("SequenceNumber"), "42");

  EXPECT_EQ(boost::json::parse(records_request("i\\")).at("ShardIterator"), "i\\");
  EXPECT_EQ(*parse_iterator(R"({"ShardIterator":"i"})"), "i");
  EXPECT_EQ(parse_iterator("{}").error().kind, ErrorKind::corrupt);
  const auto enable = boost::json::parse(enable_stream_request({"t"}, StreamView::keys_only));
  EXPECT_EQ(enable.at("StreamSpecification").at("StreamViewType"), "KEYS_ONLY");
  EXPECT_EQ(enable.at("StreamSpecification").at("StreamEnabled"), true);
}

TEST(StreamJson, ViewsHaveTheirNames) {
  for (const auto view : {StreamView::keys_only, StreamView::new_image, StreamView::old_image,
                          StreamView::new_and_old_images}) {
    EXPECT_EQ(stream_view(text_of(view)), view);
  }
  EXPECT_FALSE(stream_view("ALL"));
  EXPECT_TRUE(has_new_image(StreamView::new_image));
  EXPECT_FALSE(has_new_image(StreamView::old_image));
}

}  // namespace
}  // namespace messina::endpoints

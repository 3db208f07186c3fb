#include "item/stream_page.h"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "item/page_test_support.h"

namespace messina::item {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Splits both ways, demands that they agree, and gives the result of the fast one. The spans point into
// `bytes`.
Result<void> split_both(const Slab& bytes, StreamPageSpans& spans) {
  static StreamPageSplitter splitter;
  StreamPageSpans slow_spans;
  const auto slow = split_stream_page_bytewise(bytes.view(), slow_spans);
  const auto fast = splitter.split(bytes.view(), spans);
  EXPECT_EQ(fast.has_value(), slow.has_value()) << bytes.view();
  EXPECT_EQ(spans.next_iterator, slow_spans.next_iterator);
  EXPECT_EQ(spans.records.size(), slow_spans.records.size());
  for (std::size_t i = 0; i < std::min(spans.records.size(), slow_spans.records.size()); ++i) {
    const auto& a = spans.records[i];
    const auto& b = slow_spans.records[i];
    EXPECT_EQ(std::tie(a.keys, a.new_image, a.old_image, a.sequence_number, a.removed, a.by_service,
                       a.created_unix_s),
              std::tie(b.keys, b.new_image, b.old_image, b.sequence_number, b.removed, b.by_service,
                       b.created_unix_s));
  }
  if (!fast && !slow) {
    EXPECT_EQ(fast.error().message, slow.error().message);
  }
  return fast;
}

std::string page_of(std::string_view record) {
  return fmt::format(R"({{"Records":[{}],"NextShardIterator":"next"}})", record);
}

constexpr std::string_view kInsert =
    R"({"eventID":"1","eventName":"INSERT","awsRegion":"us-east-1","dynamodb":)"
    R"({"ApproximateCreationDateTime":1.7953e9,"Keys":{"p":{"S":"a"}},"NewImage":{"p":{"S":"a"},"Keys":{"S":"x"}},)"
    R"("SequenceNumber":"400000000000000499660","SizeBytes":26,"StreamViewType":"NEW_AND_OLD_IMAGES"}})";

TEST(StreamPage, FindsWhatARecordSays) {
  const auto bytes = slab(page_of(kInsert));
  StreamPageSpans spans;
  ASSERT_TRUE(split_both(bytes, spans));
  ASSERT_THAT(spans.records, SizeIs(1));
  const auto& record = spans.records[0];
  EXPECT_EQ(record.keys, R"({"p":{"S":"a"}})");
  EXPECT_EQ(record.new_image, R"({"p":{"S":"a"},"Keys":{"S":"x"}})");
  EXPECT_THAT(record.old_image, IsEmpty());
  EXPECT_EQ(record.sequence_number, "400000000000000499660");
  EXPECT_FALSE(record.removed);
  EXPECT_FALSE(record.by_service);
  EXPECT_EQ(record.created_unix_s, 1'795'300'000);
  EXPECT_EQ(spans.next_iterator, "next");
}

TEST(StreamPage, AnIteratorThatIsNullOrAbsentEndsTheShard) {
  for (const auto* body : {R"({"Records":[]})", R"({"Records":[],"NextShardIterator":null})"}) {
    const auto bytes = slab(body);
    StreamPageSpans spans;
    ASSERT_TRUE(split_both(bytes, spans)) << body;
    EXPECT_THAT(spans.records, IsEmpty());
    EXPECT_THAT(spans.next_iterator, IsEmpty());
  }
}

TEST(StreamPage, ADeletionByTtlIsKnownInEitherCase) {
  for (const auto* identity : {R"({"type":"Service","principalId":"dynamodb.amazonaws.com"})",
                               R"({"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"})"}) {
    const auto bytes = slab(page_of(fmt::format(
        R"({{"eventName":"REMOVE","userIdentity":{},"dynamodb":{{"Keys":{{"p":{{"S":"a"}}}},"SequenceNumber":"7"}}}})",
        identity)));
    StreamPageSpans spans;
    ASSERT_TRUE(split_both(bytes, spans));
    EXPECT_TRUE(spans.records.at(0).removed);
    EXPECT_TRUE(spans.records.at(0).by_service);
    EXPECT_FALSE(spans.records.at(0).created_unix_s);
  }
}

TEST(StreamPage, AnotherServicesOrUsersDeletionIsNoTtl) {
  for (const auto* identity :
       {R"({"type":"Service","principalId":"x.amazonaws.com"})",
        R"({"type":"User","principalId":"dynamodb.amazonaws.com"})", R"({})", "null"}) {
    const auto bytes = slab(page_of(fmt::format(
        R"({{"eventName":"REMOVE","userIdentity":{},"dynamodb":{{"Keys":{{"p":{{"S":"a"}}}},"SequenceNumber":"7"}}}})",
        identity)));
    StreamPageSpans spans;
    ASSERT_TRUE(split_both(bytes, spans));
    EXPECT_FALSE(spans.records.at(0).by_service) << identity;
  }
}

TEST(StreamPage, OfAnEventNameThatStandsTwiceTheLastCounts) {
  const auto bytes = slab(page_of(
      R"({"eventName":"INSERT","eventName":"REMOVE","dynamodb":{"Keys":{"p":{"S":"a"}},"SequenceNumber":"2585244436191405062542412924848440555"}})"));
  StreamPageSpans spans;
  ASSERT_TRUE(split_both(bytes, spans));
  EXPECT_TRUE(spans.records.at(0).removed);
}

struct Wrong {
  std::string_view record;
  std::string_view says;
};

TEST(StreamPage, ARecordThatLacksWhatItMustHaveIsSaid) {
  for (const auto& [record, says] : {
           Wrong{R"({"dynamodb":{"Keys":{"p":{"S":"a"}},"SequenceNumber":"7"}})", "without eventName"},
           Wrong{R"({"eventName":"INSERT","dynamodb":{"SequenceNumber":"7"}})", "without Keys"},
           Wrong{R"({"eventName":"INSERT","dynamodb":{"Keys":{"p":{"S":"a"}}}})", "without SequenceNumber"},
           Wrong{R"({"eventName":"INSERT"})", "without Keys"},
           Wrong{R"({"eventName":"UPSERT","dynamodb":{}})", "nobody knows"},
           Wrong{R"({"eventName":1,"dynamodb":{}})", "no text"},
           Wrong{R"({"eventName":"INSERT","dynamodb":[]})", "is no object"},
           Wrong{R"({"eventName":"INSERT","dynamodb":{"Keys":"a"}})", "Keys that are no object"},
           Wrong{R"({"eventName":"INSERT","dynamodb":{"Keys":{},"NewImage":[]}})", "NewImage"},
           Wrong{R"({"eventName":"INSERT","dynamodb":{"SequenceNumber":"7a"}})", "no number"},
           Wrong{R"({"eventName":"INSERT","dynamodb":{"SequenceNumber":""}})", "no number"},
           Wrong{R"({"eventName":"INSERT","dynamodb":{"SequenceNumber":7}})", "no text"},
           Wrong{R"({"eventName":"INSERT","dynamodb":{"ApproximateCreationDateTime":"now"}})", "no time"},
           Wrong{R"({"eventName":"INSERT","dynamodb":{"ApproximateCreationDateTime":1e40}})", "no time"},
           Wrong{R"(7)", "no object"},
       }) {
    const auto bytes = slab(page_of(record));
    StreamPageSpans spans;
    const auto split = split_both(bytes, spans);
    ASSERT_FALSE(split) << record;
    EXPECT_EQ(split.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(split.error().message, HasSubstr(says)) << record;
    EXPECT_THAT(spans.records, IsEmpty());
  }
  const auto too_long = slab(page_of(fmt::format(
      R"({{"eventName":"INSERT","dynamodb":{{"Keys":{{}},"SequenceNumber":"{}"}}}})", std::string(41, '1'))));
  StreamPageSpans spans;
  EXPECT_FALSE(split_both(too_long, spans));
}

TEST(StreamPage, AnAnswerWithoutRecordsIsNone) {
  for (const auto* body : {"{}", "[]", "", R"({"Records":{}})", R"({"Records":[],"Records":[]})",
                           R"({"Records":[],"NextShardIterator":7})", R"({"Records":[]}x)"}) {
    const auto bytes = slab(body);
    StreamPageSpans spans;
    EXPECT_FALSE(split_both(bytes, spans)) << body;
  }
}

TEST(StreamPage, EveryCutIsNoticed) {
  const std::string whole = page_of(fmt::format("{},{}", kInsert, kInsert));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto bytes = slab(std::string_view(whole).substr(0, size));
    StreamPageSpans spans;
    ASSERT_FALSE(split_both(bytes, spans)) << size;
  }
}

TEST(StreamPage, BothWaysAgreeOnDamagedBytes) {
  const std::uint64_t seed = 20261122;
  SCOPED_TRACE(seed);
  Random random(seed);
  const std::string whole = page_of(fmt::format("{},{}", kInsert, kInsert));
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = whole;
    damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    const auto bytes = slab(damaged);
    StreamPageSpans spans;
    (void)split_both(bytes, spans);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace messina::item

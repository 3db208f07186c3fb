// The shards of DynamoDB's streams: lineage, splits, trims, streams that come and go.
#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/engine/stream_test_support.h"

namespace messina::sim::test {
namespace {

EngineSettings shards(std::size_t count) {
  EngineSettings settings = one_shard();
  settings.personality.streams.shards = count;
  return settings;
}

bool is_open(const json::value& shard) {
  return !shard.at("SequenceNumberRange").as_object().contains("EndingSequenceNumber");
}

SequenceNumber number_at(const json::value& shard, const char* name) {
  return parse_sequence_number(text(shard.at("SequenceNumberRange").at(name)), StreamStyle::dynamodb).value();
}

/// Reads parents before children, as a reader that must keep each key's order; the values of `v` by key.
std::map<std::string, std::string> read_by_lineage(StreamClient& client) {
  std::map<std::string, std::string> values;
  const json::array listed = client.shards();
  std::set<std::string> done;
  const auto known = [&](const std::string& id) {
    return std::ranges::any_of(listed,
                               [&](const json::value& shard) { return text(shard.at("ShardId")) == id; });
  };
  while (done.size() < listed.size()) {
    for (const json::value& shard : listed) {
      const std::string id = text(shard.at("ShardId"));
      const json::value* parent = shard.as_object().if_contains("ParentShardId");
      if (done.contains(id) || (parent && known(text(*parent)) && !done.contains(text(*parent)))) continue;
      for (std::string at = client.iterator(id, "TRIM_HORIZON"); !at.empty();) {
        const json::value page = client.page(at, R"(,"Limit":3)");
        if (page.at("Records").as_array().empty()) break;
        for (const json::value& record : page.at("Records").as_array())
          values[text(record.at("dynamodb").at("Keys").at("p").at("S"))] +=
              text(record.at("dynamodb").at("NewImage").at("v").at("N"));
        at = client.next(page);
      }
      done.insert(id);
    }
  }
  return values;
}

TEST(StreamShards, KeepEachKeysOrderOverSplitsAndRolls) {
  StreamClient client(shards(3));
  const auto write = [&](int round) {
    for (int i = 0; i < 40; ++i)
      client.put("k" + std::to_string(i), R"("v":{"N":")" + std::to_string(round) + "\"}");
  };
  write(1);
  client.stream_control(R"({"split":"all"})");
  write(2);
  client.stream_control(R"({"roll":"all"})");
  write(3);
  const json::array listed = client.shards();
  EXPECT_EQ(listed.size(), 3u + 6u + 6u);
  EXPECT_EQ(std::ranges::count_if(listed, is_open), 6);
  std::map<std::string, const json::value*> by_id;
  for (const json::value& shard : listed) by_id[text(shard.at("ShardId"))] = &shard;
  for (const auto& [id, shard] : by_id) {
    const json::value* parent = shard->as_object().if_contains("ParentShardId");
    if (parent == nullptr) continue;
    EXPECT_LT(text(*parent), id) << "parents are listed first";
    EXPECT_LT(number_at(*by_id.at(text(*parent)), "EndingSequenceNumber"),
              number_at(*shard, "StartingSequenceNumber"));
  }
  const auto values = read_by_lineage(client);
  EXPECT_EQ(values.size(), 40u);
  for (const auto& [key, value] : values) EXPECT_EQ(value, "123") << key;
}

TEST(StreamShards, AClosedShardEndsWithoutAnIterator) {
  StreamClient client(shards(1));
  client.put("a");
  const std::string id = text(client.shards().at(0).at("ShardId"));
  const std::string open = client.iterator(id, "TRIM_HORIZON");
  EXPECT_FALSE(client.next(client.page(open)).empty());
  const json::value split = client.stream_control(R"({"split":")" + id + "\"}");
  EXPECT_EQ(split.at("shards").as_array().size(), 3u);
  const json::value page = client.page(open);
  EXPECT_EQ(page.at("Records").as_array().size(), 1u);
  if (const std::string next = client.next(page); !next.empty()) {
    const json::value last = client.page(next);
    EXPECT_TRUE(last.at("Records").as_array().empty());
    EXPECT_EQ(client.next(last), "");
  }
  EXPECT_EQ(client.next(client.page(client.iterator(id, "LATEST"))), "");
  EXPECT_EQ(client.error("PutItem", put("orders", "b")), "");
  EXPECT_EQ(client.page(open).at("Records").as_array().size(), 1u) << "nothing is added to it";
  EXPECT_EQ(client.all().size(), 2u);
  EXPECT_TRUE(client.stream_control(R"({"split":")" + id + "\"}").as_object().contains("__type"));
  EXPECT_TRUE(client.stream_control(R"({"split":"nope"})").as_object().contains("__type"));
  EXPECT_TRUE(client.stream_control(R"({"melt":"all"})").as_object().contains("__type"));
}

TEST(StreamShards, TellTheirEndWithTheLastRecordsOrBehindThem) {
  StreamClient client(shards(1));
  int with = 0;
  int behind = 0;
  for (int i = 0; i < 40; ++i) {
    client.put("k" + std::to_string(i));
    const std::string id = text(client.shards().back().at("ShardId"));
    client.stream_control(R"({"roll":"all"})");
    (client.next(client.page(client.iterator(id, "TRIM_HORIZON"))).empty() ? with : behind) += 1;
  }
  EXPECT_GT(with, 5);
  EXPECT_GT(behind, 5);
}

TEST(StreamShards, AreListedInPages) {
  StreamClient client(shards(250));
  std::vector<std::string> ids;
  std::string more;
  std::vector<std::size_t> pages;
  do {
    const json::value page = client.describe(more);
    pages.push_back(page.at("Shards").as_array().size());
    for (const json::value& shard : page.at("Shards").as_array()) ids.push_back(text(shard.at("ShardId")));
    const json::value* last = page.as_object().if_contains("LastEvaluatedShardId");
    more = last == nullptr ? "" : R"(,"ExclusiveStartShardId":")" + text(*last) + "\"";
  } while (!more.empty());
  EXPECT_THAT(pages, testing::ElementsAre(100, 100, 50));
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 250u);
  EXPECT_EQ(client.describe(R"(,"Limit":7)").at("Shards").as_array().size(), 7u);
  client.stream_control(R"({"split":")" + ids[3] + "\"}");
  const json::value children =
      client.describe(R"(,"ShardFilter":{"Type":"CHILD_SHARDS","ShardId":")" + ids[3] + "\"}");
  EXPECT_EQ(children.at("Shards").as_array().size(), 2u);
}

TEST(StreamShards, TakeAllKeysWhereverTheyLie) {
  StreamClient client(shards(16));
  for (int i = 0; i < 400; ++i) client.put("k" + std::to_string(i));
  const json::value state = client.control("GET", "/_sim/tables/orders/stream");
  std::size_t used = 0;
  for (const json::value& shard : state.at("shards").as_array())
    used += shard.at("records").to_number<int>() > 0;
  EXPECT_EQ(used, 16u);
  EXPECT_EQ(client.all().size(), 400u);
}

TEST(StreamShards, SplitAndRollOnASchedule) {
  EngineSettings settings = shards(1);
  settings.personality.streams.split_every = 10s;
  settings.personality.streams.roll_every = 60s;
  settings.personality.streams.max_open_shards = 4;
  StreamClient client(settings);
  const auto open = [&] { return std::ranges::count_if(client.shards(), is_open); };
  client.advance(9s);
  EXPECT_EQ(open(), 1);
  client.advance(1s);
  EXPECT_EQ(open(), 2);
  client.advance(45s);
  EXPECT_EQ(open(), 4);
  const std::size_t before = client.shards().size();
  client.advance(5s);
  EXPECT_EQ(open(), 4);
  EXPECT_EQ(client.shards().size(), before + 4) << "all four were closed and followed";
}

TEST(StreamShards, RecordsAreTrimmedWhenTheyAreOld) {
  EngineSettings settings = shards(1);
  settings.personality.streams.retention = 100s;
  StreamClient client(settings);
  const std::string id = text(client.shards().at(0).at("ShardId"));
  const std::string at_start = client.iterator(id, "TRIM_HORIZON");
  client.put("a");
  client.advance(50s);
  client.put("b");
  const auto records = client.all();
  const std::string first = text(records[0].at("dynamodb").at("SequenceNumber"));
  const std::string after_first = client.iterator(id, "AFTER_SEQUENCE_NUMBER", first);
  client.advance(50s);
  EXPECT_EQ(client.all().size(), 1u);
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(at_start)), "TrimmedDataAccessException");
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(after_first)), "");
  for (const char* type : {"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"})
    EXPECT_EQ(client.refusal("GetShardIterator", client.iterator_request(id, type, first)),
              "TrimmedDataAccessException");
  client.stream_control(R"({"trim":"all"})");
  EXPECT_EQ(client.all().size(), 0u);
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(after_first)), "TrimmedDataAccessException");
  EXPECT_EQ(client.shards().size(), 1u) << "an open shard stays";
  EXPECT_EQ(client.control("GET", "/_sim/tables/orders/stream").at("trimmed"), 2);
}

TEST(StreamShards, ClosedShardsVanishAndTheirChildrenStay) {
  EngineSettings settings = shards(1);
  settings.personality.streams.retention = 100s;
  StreamClient client(settings);
  client.put("a");
  const std::string parent = text(client.shards().at(0).at("ShardId"));
  const std::string iterator = client.iterator(parent, "TRIM_HORIZON");
  client.advance(10s);
  client.stream_control(R"({"split":"all"})");
  client.advance(99s);
  EXPECT_EQ(client.shards().size(), 3u) << "empty, but closed a short time ago";
  client.advance(1s);
  const json::array left = client.shards();
  EXPECT_EQ(left.size(), 2u);
  for (const json::value& shard : left) EXPECT_EQ(text(shard.at("ParentShardId")), parent);
  EXPECT_EQ(client.refusal("GetShardIterator", client.iterator_request(parent, "TRIM_HORIZON")),
            "ResourceNotFoundException");
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(iterator)), "TrimmedDataAccessException");
}

TEST(StreamLife, EachEnablingMakesANewStreamAndTheOldOneStaysReadable) {
  EngineSettings settings = shards(1);
  settings.personality.streams.retention = 100s;
  settings.create_delay = 5s;
  StreamClient client(settings);
  client.advance(5s);
  const std::string first = client.arn();
  client.put("a");
  const auto update = [&](const std::string& specification) {
    return client.error("UpdateTable",
                        R"({"TableName":"orders","StreamSpecification":{)" + specification + "}}");
  };
  EXPECT_EQ(update(R"("StreamEnabled":true,"StreamViewType":"KEYS_ONLY")"), "ValidationException");
  EXPECT_EQ(update(R"("StreamEnabled":false)"), "");
  EXPECT_EQ(client.describe().at("StreamStatus"), "DISABLING");
  client.advance(5s);
  EXPECT_EQ(client.describe().at("StreamStatus"), "DISABLED");
  EXPECT_FALSE(client.table().as_object().contains("StreamSpecification"));
  EXPECT_EQ(update(R"("StreamEnabled":false)"), "ValidationException");
  client.put("b");
  EXPECT_EQ(client.all().size(), 1u) << "what comes after it is not recorded";
  EXPECT_FALSE(is_open(client.shards().at(0)));
  EXPECT_EQ(update(R"("StreamEnabled":true,"StreamViewType":"EVERYTHING")"), "ValidationException");
  EXPECT_EQ(update(R"("StreamEnabled":true)"), "ValidationException");
  EXPECT_EQ(update(R"("StreamEnabled":true,"StreamViewType":"KEYS_ONLY")"), "");
  EXPECT_EQ(client.describe().at("StreamStatus"), "ENABLING");
  client.advance(5s);
  EXPECT_NE(client.arn(), first);
  EXPECT_EQ(client.describe().at("StreamStatus"), "ENABLED");
  EXPECT_EQ(client.describe().at("StreamViewType"), "KEYS_ONLY");
  client.put("c");
  EXPECT_EQ(client.all().size(), 1u);
  EXPECT_EQ(client.ask("ListStreams", R"({"TableName":"orders"})").at("Streams").as_array().size(), 2u);
  EXPECT_EQ(client.refusal("DescribeStream", client.of(first)), "");
  client.advance(90s);
  EXPECT_EQ(client.refusal("DescribeStream", client.of(first)), "ResourceNotFoundException");
}

TEST(StreamLife, OutlivesItsTable) {
  StreamClient client(shards(1));
  const std::string arn = client.arn();
  client.put("a");
  client.send("DeleteTable", R"({"TableName":"orders"})");
  const json::value stream = client.ask("DescribeStream", client.of(arn)).at("StreamDescription");
  EXPECT_EQ(stream.at("StreamStatus"), "DISABLED");
  const std::string id = text(stream.at("Shards").at(0).at("ShardId"));
  const std::string iterator =
      text(client
               .ask("GetShardIterator",
                    client.of(arn, R"(,"ShardId":")" + id + R"(","ShardIteratorType":"TRIM_HORIZON")"))
               .at("ShardIterator"));
  EXPECT_EQ(client.page(iterator).at("Records").as_array().size(), 1u);
  client.create("orders", with_stream("NEW_IMAGE"));
  EXPECT_NE(client.arn(), arn);
  client.advance(24h);
  EXPECT_EQ(client.refusal("DescribeStream", client.of(arn)), "ResourceNotFoundException");
}

TEST(StreamLife, StreamsAreListedInPages) {
  StreamClient client(shards(1));
  for (int i = 0; i < 5; ++i) client.create("more" + std::to_string(i), with_stream("KEYS_ONLY"));
  client.create("plain");
  std::set<std::string> tables;
  std::string more;
  int pages = 0;
  do {
    const json::value page = client.ask("ListStreams", R"({"Limit":2)" + more + "}");
    for (const json::value& stream : page.at("Streams").as_array())
      tables.insert(text(stream.at("TableName")));
    const json::value* last = page.as_object().if_contains("LastEvaluatedStreamArn");
    more = last == nullptr ? "" : R"(,"ExclusiveStartStreamArn":")" + text(*last) + "\"";
    ++pages;
  } while (!more.empty());
  EXPECT_EQ(tables.size(), 6u);
  EXPECT_EQ(pages, 3);
}

TEST(StreamLife, TheSameSeedMakesTheSameStream) {
  const auto run = [] {
    StreamClient client(shards(2));
    for (int i = 0; i < 50; ++i) client.put("k" + std::to_string(i));
    client.stream_control(R"({"split":"all"})");
    for (int i = 50; i < 99; ++i) client.put("k" + std::to_string(i));
    std::string whole;
    for (const json::value& record : client.all()) whole += json::serialize(record);
    return whole;
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace messina::sim::test

// The endpoints' shell against scripted answers; what real servers make of it is tests/contract's matter.
#include "endpoints/dynamodb.h"

#include <deque>
#include <future>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http_server.h"

namespace messina::endpoints {
namespace {

constexpr const char* kTable =
    R"({"Table":{"TableName":"t","TableId":"id","TableArn":"arn:t","TableStatus":"ACTIVE","TableSizeBytes":9000000,)"
    R"("KeySchema":[{"AttributeName":"p","KeyType":"HASH"}],)"
    R"("AttributeDefinitions":[{"AttributeName":"p","AttributeType":"S"}]}})";

/// A server that answers from a script, and an endpoint that talks to it.
class DynamoDbEndpoint : public testing::Test {
 protected:
  void SetUp() override {
    auto started = net::HttpServer::start(
        server_loop_, {}, [this](net::ServerRequest request) { return answer(this, std::move(request)); });
    server_ = std::move(started.value());
    options_.table = "t";
    options_.region = "us-east-1";
    options_.origin = {"127.0.0.1", server_->port(), false};
    endpoint_ = make_dynamodb(loop_, options_);
  }
  void TearDown() override {
    std::promise<void> gone;
    asio::post(loop_.executor(), [&] {
      endpoint_ = Endpoint();
      gone.set_value();
    });
    gone.get_future().wait();
  }

  void say(int status, std::string body) {
    const std::lock_guard lock(mutex_);
    replies_.emplace_back(status, std::move(body));
  }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return std::exchange(requests_, {});
  }
  template <class T>
  T run(Task<T> task) {
    return net::run_on(loop_, std::move(task));
  }
  WriteOutcome put(std::vector<std::string_view> records) { return run(endpoint_.put->put(records)); }

  net::EventLoop loop_{"client"};
  DynamoDbOptions options_;
  Endpoint endpoint_;

 private:
  static Task<net::ServerReply> answer(DynamoDbEndpoint* self, net::ServerRequest request) {
    const std::lock_guard lock(self->mutex_);
    const auto target = std::string(request.headers.find("X-Amz-Target").value_or("-"));
    self->requests_.push_back(target.substr(target.find('.') + 1) + " " + std::string(request.body.view()));
    net::ServerReply reply;
    reply.status = 418;
    reply.body = std::make_shared<const std::string>();
    if (!self->replies_.empty()) {
      reply.status = self->replies_.front().first;
      reply.body = std::make_shared<const std::string>(std::move(self->replies_.front().second));
      self->replies_.pop_front();
    }
    co_return reply;
  }

  std::mutex mutex_;
  std::deque<std::pair<int, std::string>> replies_;
  std::vector<std::string> requests_;
  net::EventLoop server_loop_{"server"};
  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(DynamoDbEndpoint, IsNamedForPeople) {
  EXPECT_EQ(endpoint_.display, "table \"t\" (dynamodb, us-east-1)");
  AlternatorOptions alternator;
  alternator.table = "t";
  alternator.contact = {"10.0.0.1", 8000, false};
  const auto cluster = std::make_shared<AlternatorCluster>(alternator);
  const auto other = make_alternator(loop_, alternator, cluster);
  EXPECT_EQ(other.display, "table \"t\" (alternator, 10.0.0.1:8000)");
  EXPECT_NE(other.authority, endpoint_.authority);
  EXPECT_EQ(other.put->caps().max_items, 100u);
  EXPECT_EQ(endpoint_.put->caps().max_items, 25u);
}

TEST_F(DynamoDbEndpoint, DescribesWithTtlAndAllPagesOfTags) {
  say(200, kTable);
  say(200, R"({"TimeToLiveDescription":{"TimeToLiveStatus":"ENABLED","AttributeName":"exp"}})");
  say(200, R"({"Tags":[{"Key":"a","Value":"1"}],"NextToken":"n"})");
  say(200, R"({"Tags":[{"Key":"b","Value":"2"}]})");
  const auto table = run(endpoint_.catalog->describe(nullptr));
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(table->ttl_attribute, "exp");
  EXPECT_EQ(table->tags.size(), 2u);
  EXPECT_THAT(asked(), testing::ElementsAre(R"(DescribeTable {"TableName":"t"})",
                                            R"(DescribeTimeToLive {"TableName":"t"})",
                                            R"(ListTagsOfResource {"ResourceArn":"arn:t"})",
                                            R"(ListTagsOfResource {"ResourceArn":"arn:t","NextToken":"n"})"));
}

TEST_F(DynamoDbEndpoint, WhatMayNotBeReadIsNotedAndNotFatal) {
  say(200, kTable);
  say(400, R"({"__type":"x#UnknownOperationException"})");
  say(400, R"({"__type":"x#AccessDeniedException","message":"no"})");
  std::vector<std::string> notes;
  const auto table = run(endpoint_.catalog->describe(&notes));
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_THAT(notes, testing::ElementsAre(testing::StartsWith("TTL unknown: "),
                                          testing::StartsWith("tags unknown: ")));
  say(200, kTable);
  say(500, "");
  EXPECT_EQ(run(endpoint_.catalog->describe(&notes)).error().kind, ErrorKind::transient)
      << "but trouble is trouble";
}

TEST_F(DynamoDbEndpoint, PlansBySize) {
  say(200, kTable);
  const auto units = run(endpoint_.scan->plan({std::nullopt, 2}));
  ASSERT_TRUE(units.has_value());
  ASSERT_EQ(units->size(), 8u);
  EXPECT_EQ(units->back().id, "segment 7/8");
  EXPECT_EQ(run(endpoint_.scan->plan({3, 2}))->size(), 3u) << "told how many: no need to ask";
}

TEST_F(DynamoDbEndpoint, ReadsPagesAndUsesTheirMemoryAgain) {
  const Unit unit{"segment 3/16", R"({"v":1,"segment":3,"total":16})"};
  say(200,
      R"({"ConsumedCapacity":{"CapacityUnits":2.5,"TableName":"t"},"Count":2,"Items":[{"p":{"S":"a"}},{"p":{"S":"b"}}],)"
      R"("LastEvaluatedKey":{"p":{"S":"b"}},"ScannedCount":2})");
  auto first = run(endpoint_.scan->read(unit, {}));
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_THAT(first->records, testing::ElementsAre(R"({"p":{"S":"a"}})", R"({"p":{"S":"b"}})"));
  EXPECT_FALSE(first->end);
  EXPECT_EQ(first->cost_rcu, 2.5);
  say(200, R"({"Count":0,"Items":[]})");
  const auto second = run(endpoint_.scan->read(unit, first->next));
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(second->end);
  EXPECT_EQ(second->cost_rcu, 1) << "estimated";
  EXPECT_THAT(asked().back(),
              testing::EndsWith(R"("Segment":3,"TotalSegments":16,"ExclusiveStartKey":{"p":{"S":"b"}}})"));
  say(200, "no JSON");
  EXPECT_EQ(run(endpoint_.scan->read(unit, {})).error().kind, ErrorKind::corrupt);
}

TEST_F(DynamoDbEndpoint, APageThatContradictsItselfIsNoPage) {
  const Unit unit{"segment 0/1", R"({"v":1,"segment":0,"total":1})"};
  for (const auto* body :
       {R"({"Count":2,"Items":[{"p":{"S":"a"}}]})", R"({"Count":1})", R"({"Count":1,"Items":null})"}) {
    say(200, body);
    const auto page = run(endpoint_.scan->read(unit, {}));
    ASSERT_FALSE(page.has_value()) << body;
    EXPECT_EQ(page.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(page.error().message, testing::HasSubstr("items and holds"));
  }
}

TEST_F(DynamoDbEndpoint, APageThatEndsWhereItBeganIsNoPage) {
  const Unit unit{"segment 0/1", R"({"v":1,"segment":0,"total":1})"};
  const auto* const page = R"({"Count":1,"Items":[{"p":{"S":"a"}}],"LastEvaluatedKey":{"p":{"S":"a"}}})";
  say(200, page);
  const auto first = run(endpoint_.scan->read(unit, {}));
  ASSERT_TRUE(first.has_value());
  say(200, page);
  const auto second = run(endpoint_.scan->read(unit, first->next));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind, ErrorKind::corrupt);
  EXPECT_THAT(second.error().message, testing::HasSubstr("ends where it began"));
}

TEST_F(DynamoDbEndpoint, EmptyPagesAreNotTheEnd) {
  say(200, R"({"Count":0,"Items":[],"LastEvaluatedKey":{"p":{"S":"a"}}})");
  say(200, R"({"Count":1,"Items":[{"p":{"S":"b"}}]})");
  EXPECT_EQ(run(endpoint_.catalog->empty()), false);
  say(200, R"({"Count":0,"Items":[]})");
  EXPECT_EQ(run(endpoint_.catalog->empty()), true);
}

TEST_F(DynamoDbEndpoint, UnprocessedItemsAreFoundByTheKeyThatTheTableHas) {
  say(200, R"({"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"p":{"S":"b"}}}}]}})");
  say(200, kTable);
  const auto some = put({R"({"p":{"S":"a"}})", R"({"p":{"S":"b"}})"});
  EXPECT_FALSE(some.error);
  EXPECT_THAT(some.unprocessed, testing::ElementsAre(1u));
  say(200, R"({"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"p":{"S":"stranger"}}}}]}})");
  const auto mismatch = put({R"({"p":{"S":"a"}})"});
  ASSERT_TRUE(mismatch.error);
  EXPECT_EQ(mismatch.error->kind, ErrorKind::transient);
}

TEST_F(DynamoDbEndpoint, AnAnswerThatIsNoneLeavesAWriteUnknown) {
  for (const auto* body : {"", "{}", "<html>", R"({"UnprocessedItems":{"t":[{"DeleteRequest":{}}]}})"}) {
    say(200, body);
    const auto outcome = put({R"({"p":{"S":"a"}})"});
    ASSERT_TRUE(outcome.error) << body;
    EXPECT_EQ(outcome.error->kind, ErrorKind::unknown_outcome) << body;
  }
  EXPECT_FALSE(put({}).error) << "nothing to write, nothing sent";
  EXPECT_EQ(asked().size(), 4u);
}

TEST_F(DynamoDbEndpoint, WhatNoServerTakesIsNotSent) {
  const std::string huge = R"({"p":{"S":")" + std::string(kMaxRequestBytes, 'x') + "\"}}";
  const auto outcome = put({huge});
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->kind, ErrorKind::too_large);
  EXPECT_TRUE(asked().empty());
}

}  // namespace
}  // namespace messina::endpoints

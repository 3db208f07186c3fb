// What messina relies on in a server of DynamoDB's API, tried against whichever one run.py has started.
//
//   MESSINA_CONTRACT_URL     http://127.0.0.1:PORT
//   MESSINA_CONTRACT_SERVER  sim-dynamodb, sim-alternator, dynalite or moto
#include <cstdlib>
#include <future>
#include <map>
#include <ranges>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/dynamodb_client.h"
#include "aws/endpoint_resolve.h"
#include "base/log.h"
#include "base/random.h"
#include "endpoints/dynamodb.h"
#include "item/item_json.h"
#include "jobs/selftest.h"

namespace messina::endpoints {
namespace {

using item::Type;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

const std::string kServer = variable("MESSINA_CONTRACT_SERVER");

bool is_sim() { return kServer.starts_with("sim-"); }
bool is_alternator() { return kServer == "sim-alternator"; }

/// One table on the server, with its endpoint on a loop of its own.
class Contract : public testing::Test {
 protected:
  void SetUp() override {
    const auto url = variable("MESSINA_CONTRACT_URL");
    if (url.empty()) GTEST_SKIP() << "MESSINA_CONTRACT_URL is not set: run tests/contract/run.py";
    origin_ = aws::parse_endpoint_url(url).value();
    table_ = fmt::format("contract_{:012x}", Random(entropy_seed()).next() >> 16);
    endpoint_ = make_endpoint("test");
  }
  void TearDown() override {
    if (endpoint_.catalog) drop(endpoint_);
  }

  /// What has connections dies on its loop.
  template <class T>
  void drop(T& thing) {
    std::promise<void> gone;
    asio::post(loop_.executor(), [&] {
      thing = T();
      gone.set_value();
    });
    gone.get_future().wait();
  }

  Endpoint make_endpoint(const std::string& secret, bool gzip = false) {
    const auto keys = std::make_shared<aws::StaticCredentials>(aws::Credentials{"test", Secret(secret)});
    if (is_alternator()) {
      AlternatorOptions options;
      options.table = table_;
      options.contact = origin_;
      options.credentials = keys;
      options.gzip_requests = gzip;
      return make_alternator(loop_, options, std::make_shared<AlternatorCluster>(options));
    }
    DynamoDbOptions options;
    options.table = table_;
    options.region = "us-east-1";
    options.origin = origin_;
    options.credentials = keys;
    return make_dynamodb(loop_, options);
  }

  template <class T>
  T run(Task<T> task) {
    return net::run_on(loop_, std::move(task));
  }
  void run(Task<void> task) { net::run_on(loop_, std::move(task)); }

  TableDescription wanted() const {
    TableDescription table;
    table.name.value = table_;
    table.key = {{"p", Type::S}, item::KeyAttribute{"c", Type::N}};
    return table;
  }

  void create(const TableDescription& table) {
    const auto created = run(endpoint_.catalog->create(table));
    ASSERT_TRUE(created.has_value()) << created.error().message;
    for (const auto deadline = loop_.now() + std::chrono::seconds(30); loop_.now() < deadline;) {
      const auto now = run(endpoint_.catalog->describe(nullptr));
      ASSERT_TRUE(now.has_value() || now.error().kind == ErrorKind::not_found) << now.error().message;
      if (now && now->status == TableStatus::active) return;
      run(loop_.sleep_for(std::chrono::milliseconds(20), nullptr));
    }
    FAIL() << "the table does not become active";
  }

  WriteOutcome put(const std::vector<std::string>& items) {
    const std::vector<std::string_view> records(items.begin(), items.end());
    return run(endpoint_.put->put(records));
  }
  void put_all(const std::vector<std::string>& items) {
    const auto caps = endpoint_.put->caps();
    for (std::size_t at = 0; at < items.size();) {
      const auto count = std::min(caps.max_items, items.size() - at);
      const std::vector<std::string> batch(items.begin() + static_cast<std::ptrdiff_t>(at),
                                           items.begin() + static_cast<std::ptrdiff_t>(at + count));
      const auto outcome = put(batch);
      ASSERT_FALSE(outcome.error) << outcome.error->message;
      ASSERT_TRUE(outcome.unprocessed.empty());
      at += count;
    }
  }

  /// All items by their key's bytes; counts the pages.
  std::map<std::string, std::string> scan(const PlanHints& hints, int* pages = nullptr) {
    std::map<std::string, std::string> found;
    const auto units = run(endpoint_.scan->plan(hints));
    EXPECT_TRUE(units.has_value()) << units.error().message;
    if (!units) return found;
    for (const auto& unit : *units) {
      Cursor cursor;
      for (bool end = false; !end;) {
        auto page = run(endpoint_.scan->read(unit, cursor));
        EXPECT_TRUE(page.has_value()) << page.error().message;
        if (!page) return found;
        EXPECT_GE(page->cost_rcu, 0);
        for (const auto record : page->records) {
          const auto key = item::key_bytes(item::find_key(record, wanted().key).value());
          EXPECT_TRUE(found.emplace(key, record).second) << "an item came twice";
        }
        if (pages) ++*pages;
        cursor = page->next;
        end = page->end;
      }
    }
    return found;
  }

  /// Makes messina-sim misbehave; false on servers that cannot.
  bool fault(const std::string& rule) {
    if (!is_sim()) return false;
    auto control = std::make_unique<net::HttpClient>(loop_, origin_, net::ClientOptions{});
    net::Request request;
    request.target = "/_sim/faults";
    request.body = rule;
    const auto answer = run(control->send(request));
    EXPECT_TRUE(answer && answer->status == 200) << rule;
    drop(control);
    return true;
  }

  static std::string item(int i, const std::string& rest = R"("x":{"S":"y"})") {
    return fmt::format(R"({{"p":{{"S":"p{}"}},"c":{{"N":"{}"}},{}}})", i % 7, i, rest);
  }

  net::EventLoop loop_{"contract"};
  net::Origin origin_;
  std::string table_;
  Endpoint endpoint_;
};

/// What servers are known not to do, by the check's name: these must fail, or this list is out of date.
std::set<std::string, std::less<>> known_failures() {
  if (kServer == "dynalite") return {"its tags come back"};  // it takes none in CreateTable
  if (kServer == "moto")
    return {"its name, key, billing and id come back",                   // it gives tables no id
            "a bad item is refused, and good ones can still be put",     // it takes some, 500 to others
            "a batch that is too large is refused, smaller ones pass"};  // it takes any
  return {};
}

TEST_F(Contract, TheSelftestHolds) {
  Stop stop;
  auto again = make_endpoint("test");
  jobs::SelftestContext context;
  context.loop = &loop_;
  context.stop = &stop;
  context.random = Random(1);
  context.table = &endpoint_;
  context.again = &again;
  jobs::SelftestOptions options;
  options.alternator = is_alternator();
  const auto checks = run(jobs::selftest(context, options, [](const jobs::SelftestCheck& check) {
    fmt::print("{} {}: {}\n", jobs::to_string(check.state), check.name, check.why);
  }));
  EXPECT_GT(checks.size(), 10u);
  std::set<std::string, std::less<>> failures;
  for (const auto& check : checks) {
    if (check.state == jobs::SelftestCheck::State::failed) failures.insert(check.name);
  }
  EXPECT_EQ(failures, known_failures());
  drop(again);
}

/// A server that has a table of that name already: it is found out, and left as it is.
TEST_F(Contract, TheSelftestLeavesATableAloneThatItDidNotMake) {
  create(wanted());
  put_all({item(1)});
  Stop stop;
  auto again = make_endpoint("test");
  jobs::SelftestContext context;
  context.loop = &loop_;
  context.stop = &stop;
  context.table = &endpoint_;
  context.again = &again;
  const auto checks = run(jobs::selftest(context, {}, [](const jobs::SelftestCheck&) {}));
  EXPECT_EQ(checks.front().state, jobs::SelftestCheck::State::failed);
  for (const auto& check : checks | std::views::drop(1))
    EXPECT_EQ(check.state, jobs::SelftestCheck::State::skipped) << check.name;
  EXPECT_EQ(scan({1, 1}).size(), 1u);
  drop(again);
}

TEST_F(Contract, ABatchOfTooManyIsTooLarge) {
  if (kServer == "moto") GTEST_SKIP() << "moto takes batches of any size";
  create(wanted());
  std::vector<std::string> items;
  for (int i = 0; i < (is_alternator() ? 101 : 26); ++i) items.push_back(item(i));
  const auto outcome = put(items);
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->kind, ErrorKind::too_large) << outcome.error->message;
  EXPECT_EQ(endpoint_.put->caps().max_items, kSafeBatchItems) << "and smaller batches from now on";
  put_all(items);
  EXPECT_EQ(scan({1, 1}).size(), items.size());
}

/// DynamoDB refuses an item whose attribute has another type than an index's key says, with its whole batch.
TEST_F(Contract, AnIndexsKeyOfAnotherTypeIsRefused) {
  if (kServer == "moto") GTEST_SKIP() << "moto looks at NULL alone, and in PutItem alone";
  TableDescription table = wanted();
  Index index;
  index.name = "by_g";
  index.key.partition = {"g", Type::S};
  table.indexes.push_back(index);
  create(table);
  const auto outcome = put({item(1), item(2, R"("g":{"N":"1"})")});
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->kind, ErrorKind::refused) << outcome.error->message;
  EXPECT_NE(outcome.error->message.find("Type mismatch"), std::string::npos) << outcome.error->message;
  if (!is_alternator()) {
    EXPECT_NE(outcome.error->message.find("Index Key g Expected: S Actual: N IndexName: by_g"),
              std::string::npos)
        << outcome.error->message;
  }
  put_all({item(1), item(2, R"("g":{"S":"fits"})"), item(3)});
  EXPECT_EQ(scan({1, 1}).size(), 3u);
}

TEST_F(Contract, AWrongSecretIsDenied) {
  if (!is_sim()) GTEST_SKIP() << kServer << " does not check signatures";
  auto stranger = make_endpoint("not the secret");
  const auto described = run(stranger.catalog->describe(nullptr));
  ASSERT_FALSE(described.has_value());
  EXPECT_EQ(described.error().kind, ErrorKind::denied) << described.error().message;
  drop(stranger);
}

TEST_F(Contract, UnprocessedItemsAreNamedByIndex) {
  if (is_alternator()) GTEST_SKIP() << "Alternator never leaves items unprocessed";
  if (!is_sim()) GTEST_SKIP() << kServer << " never leaves items unprocessed";
  create(wanted());
  ASSERT_TRUE(fault(fmt::format(R"({{"kind":"unprocessed","table":"{}","count":1}})", table_)));
  std::vector<std::string> items;
  for (int i = 0; i < 10; ++i) items.push_back(item(i));
  const auto outcome = put(items);
  ASSERT_FALSE(outcome.error) << outcome.error->message;
  ASSERT_FALSE(outcome.unprocessed.empty());
  EXPECT_EQ(scan({1, 1}).size(), items.size() - outcome.unprocessed.size());
  std::vector<std::string> rest;
  for (const auto index : outcome.unprocessed) rest.push_back(items.at(index));
  put_all(rest);
  EXPECT_EQ(scan({1, 1}).size(), items.size());
}

TEST_F(Contract, FaultsOfAWriteAreNeverTakenForSuccessOrForNothing) {
  if (!is_sim()) GTEST_SKIP() << kServer << " has no faults to order";
  create(wanted());
  const std::vector<std::pair<std::string, ErrorKind>> faults = {
      {"throttle_table", ErrorKind::throttled},     {"throttle_account", ErrorKind::throttled},
      {"error_before", ErrorKind::unknown_outcome}, {"error_after", ErrorKind::unknown_outcome},
      {"cut_before", ErrorKind::unknown_outcome},   {"cut_after", ErrorKind::unknown_outcome},
      {"truncated", ErrorKind::unknown_outcome},    {"not_json", ErrorKind::unknown_outcome},
      {"expired_credentials", ErrorKind::expired},  {"access_denied", ErrorKind::denied}};
  for (const auto& [name, kind] : faults) {
    ASSERT_TRUE(fault(
        fmt::format(R"({{"kind":"{}","operation":"BatchWriteItem","table":"{}","count":1}})", name, table_)));
    const auto outcome = put({item(1)});
    ASSERT_TRUE(outcome.error) << name;
    EXPECT_EQ(outcome.error->kind, kind) << name << ": " << outcome.error->message;
  }
  if (is_alternator()) return;
  ASSERT_TRUE(fault(
      fmt::format(R"({{"kind":"wrong_crc","operation":"BatchWriteItem","table":"{}","count":1}})", table_)));
  const auto outcome = put({item(1)});
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->kind, ErrorKind::unknown_outcome) << outcome.error->message;
}

TEST_F(Contract, FaultsOfAReadAreRetryable) {
  if (!is_sim()) GTEST_SKIP() << kServer << " has no faults to order";
  create(wanted());
  const Unit unit{"segment 0/1", R"({"v":1,"segment":0,"total":1})"};
  for (const std::string name : {"throttle_key_range", "error_before", "cut_before", "cut_after", "truncated",
                                 "not_json", "wrong_crc"}) {
    if (is_alternator() && name == "wrong_crc") continue;
    ASSERT_TRUE(
        fault(fmt::format(R"({{"kind":"{}","operation":"Scan","table":"{}","count":1}})", name, table_)));
    const auto page = run(endpoint_.scan->read(unit, Cursor{}));
    ASSERT_FALSE(page.has_value()) << name;
    EXPECT_TRUE(page.error().retryable()) << name << ": " << page.error().message;
    if (name == "throttle_key_range" && !is_alternator()) {
      EXPECT_EQ(page.error().scope, ThrottleScope::key_range);
    }
  }
}

TEST_F(Contract, CompressedWritesArriveOrAreSentPlain) {
  if (!is_alternator()) GTEST_SKIP() << "only Alternator takes compressed requests";
  create(wanted());
  drop(endpoint_);
  endpoint_ = make_endpoint("test", true);
  const std::vector<std::string> items = {item(1, R"("blob":{"S":")" + std::string(10'000, 'x') + "\"}")};
  const auto first = put(items);
  if (first.error) {
    EXPECT_EQ(first.error->kind, ErrorKind::transient) << first.error->message;
    put_all(items);
  }
  EXPECT_EQ(scan({1, 1}).size(), items.size());
}

}  // namespace
}  // namespace messina::endpoints

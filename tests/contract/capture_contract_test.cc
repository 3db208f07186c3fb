// The capture job with its real feed and its real spool, against whichever server run.py has started.
#include <algorithm>
#include <cstdlib>
#include <future>
#include <map>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "aws/endpoint_resolve.h"
#include "endpoints/dynamodb.h"
#include "item/item_json.h"
#include "jobs/capture.h"
#include "net/http_client.h"
#include "state/disk_spool.h"
#include "state/temp_folder.h"

namespace messina::jobs {
namespace {

using namespace std::chrono_literals;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

const std::string kServer = variable("MESSINA_CONTRACT_SERVER");
const bool kIsAlternator = kServer == "sim-alternator";

class MemoryStore final : public state::JobStore {
 public:
  Task<Result<std::optional<state::JobState>>> load() override { co_return job; }
  Task<Result<void>> begin(const state::JobState& fresh) override {
    job = fresh;
    co_return Result<void>();
  }
  Task<Result<void>> commit(const state::Commit& step) override {
    state::apply(job, step);
    co_return Result<void>();
  }
  Task<Result<std::vector<std::string>>> live_reject_keys() override { co_return std::vector<std::string>(); }
  Task<Result<std::vector<state::Reject>>> rejects(const state::RejectFilter&) override {
    co_return std::vector<state::Reject>();
  }
  state::JobState job;
};

class CaptureContract : public testing::Test {
 protected:
  void SetUp() override {
    const auto url = variable("MESSINA_CONTRACT_URL");
    if (url.empty()) GTEST_SKIP() << "MESSINA_CONTRACT_URL is not set: run tests/contract/run.py";
    if (kServer == "dynalite") GTEST_SKIP() << "dynalite has no streams";
    origin_ = aws::parse_endpoint_url(url).value();
    table_ = fmt::format("capture_{:012x}", Random(entropy_seed()).next() >> 16);
    make_source();
    Random random(1);
    auto opened = state::Spool::open(folder_.path() / "spool", {}, clock_, random);
    ASSERT_TRUE(opened) << opened.error().message;
    spool_ = std::make_unique<state::DiskSpool>(std::move(*opened), clock_);
    endpoints::TableDescription table;
    table.name.value = table_;
    table.key.partition = {"pk", item::Type::S};
    const auto created = run(source_.catalog->create(table));
    ASSERT_TRUE(created) << created.error().message;
    ASSERT_TRUE(eventually([this] {
      const auto now = run(source_.catalog->describe(nullptr));
      return now && now->status == endpoints::TableStatus::active;
    }));
  }
  void make_source() {
    const auto keys = std::make_shared<aws::StaticCredentials>(aws::Credentials{"test", Secret("test")});
    if (kIsAlternator) {
      endpoints::AlternatorOptions options;
      options.table = table_;
      options.contact = origin_;
      options.credentials = keys;
      const auto cluster = std::make_shared<endpoints::AlternatorCluster>(options);
      source_ = endpoints::make_alternator(loop_, options, cluster);
      return;
    }
    endpoints::DynamoDbOptions options;
    options.table = table_;
    options.region = "us-east-1";
    options.origin = origin_;
    options.streams = origin_;
    options.credentials = keys;
    source_ = endpoints::make_dynamodb(loop_, options);
  }
  void TearDown() override {
    std::promise<void> gone;
    asio::post(loop_.executor(), [&] {
      source_ = endpoints::Endpoint();
      gone.set_value();
    });
    gone.get_future().wait();
  }

  template <class T>
  T run(Task<T> task) {
    return net::run_on(loop_, std::move(task));
  }
  template <class Condition>
  bool eventually(Condition condition) {
    const MonoTime deadline = loop_.now() + 60s;
    while (!condition()) {
      if (loop_.now() > deadline) return false;
      net::run_on(loop_, loop_.sleep_for(20ms, nullptr));
    }
    return true;
  }

  void write(const std::vector<std::string>& raw, bool remove = false) {
    std::vector<endpoints::WriteRequest> requests;
    for (const std::string& each : raw) requests.push_back({.raw = each, .remove = remove});
    const auto outcome = run(source_.put->write(requests));
    ASSERT_FALSE(outcome.error) << outcome.error->message;
    ASSERT_TRUE(outcome.unprocessed.empty());
  }
  static std::string key(int n) { return fmt::format(R"({{"pk":{{"S":"{}"}}}})", n); }
  static std::string item(int n, int version) {
    return fmt::format(R"({{"pk":{{"S":"{}"}},"v":{{"N":"{}"}}}})", n, version);
  }

  void split_shards() {
    if (kServer != "sim-dynamodb") return;
    auto http = std::make_unique<net::HttpClient>(loop_, origin_, net::ClientOptions{});
    net::Request request;
    request.target = "/_sim/tables/" + table_ + "/stream";
    request.body = R"({"split":"all"})";
    const auto answer = net::run_on(loop_, http->send(request));
    EXPECT_TRUE(answer && answer->status == 200);
    std::promise<void> gone;
    asio::post(loop_.executor(), [&] {
      http.reset();
      gone.set_value();
    });
    gone.get_future().wait();
  }

  /// One process's capture; ends with it.
  struct Life {
    explicit Life(CaptureContract& in)
        : test(in), ledger(in.loop_, in.store_, *in.spool_, in.store_.job.live) {
      Capture::Context context;
      context.loop = &in.loop_;
      context.source = &in.source_;
      context.spool = in.spool_.get();
      context.ledger = &ledger;
      context.stop = &stop;
      context.key.partition = {"pk", item::Type::S};
      CaptureOptions options;
      options.enable = endpoints::StreamView::new_image;
      options.list_every = 1s;
      options.idle_poll = 300ms;
      capture = std::make_unique<Capture>(context, options);
      const auto begun = in.run(capture->begin());
      EXPECT_TRUE(begun) << begun.error().message;
      followed = asio::co_spawn(in.loop_.executor(), capture->follow(), asio::use_future);
    }
    ~Life() {
      stop.request();
      const auto ended = followed.get();
      EXPECT_TRUE(ended) << ended.error().message;
    }
    void catch_up() {
      const MonoTime now = test.loop_.now();
      EXPECT_TRUE(test.eventually([&] { return capture->polled_since(now); })) << capture->figures().trouble;
    }
    CaptureContract& test;
    Stop stop;
    LiveLedger ledger;
    std::unique_ptr<Capture> capture;
    std::future<Result<void>> followed;
  };

  /// What waits in the spool, by its key.
  std::map<std::string, state::SpoolEntry> entries() {
    std::map<std::string, state::SpoolEntry> found;
    const state::TakeRequest request{.restart = true, .max_entries = 10'000};
    auto taken = run(spool_->take(request));
    EXPECT_TRUE(taken && taken->end);
    std::vector<std::string> keys;
    for (state::SpoolEntry& entry : taken->entries) {
      keys.push_back(entry.key);
      found.emplace(entry.key, std::move(entry));
    }
    spool_->release(keys);
    return found;
  }

  /// Alternator tells a change more than once.
  static void expect_events(const Life& life, std::uint64_t changes) {
    const std::uint64_t events = life.capture->figures().events;
    EXPECT_TRUE(kIsAlternator ? events >= changes : events == changes) << events << " of " << changes;
  }

  SystemClock clock_;
  state::testing::TempFolder folder_;
  net::EventLoop loop_{"capture"};
  net::Origin origin_;
  std::string table_;
  endpoints::Endpoint source_;
  std::unique_ptr<state::DiskSpool> spool_;
  MemoryStore store_;
};

TEST_F(CaptureContract, ChangesArriveOverSplitsAndRestarts) {
  constexpr int kItems = 20;
  {
    Life life(*this);
    EXPECT_EQ(store_.job.live.capture_epoch, 1u);
    for (int version = 1; version <= 3; ++version) {
      std::vector<std::string> items;
      for (int n = 0; n < kItems; ++n) items.push_back(item(n, version));
      write(items);
      split_shards();
    }
    write({key(7)}, true);
    life.catch_up();
    expect_events(life, 3u * kItems + 1);
    const CaptureClaim claim = life.capture->claim();
    EXPECT_TRUE(claim.following && claim.closed_drained && claim.polled_at && claim.listed_at);
  }
  write({item(8, 4)});
  split_shards();
  write({item(9, 4), item(100, 1)});
  Life life(*this);
  life.catch_up();
  EXPECT_EQ(store_.job.live.capture_epoch, 1u);
  EXPECT_FALSE(store_.job.live.gap());
  expect_events(life, 3);
  const auto found = entries();
  EXPECT_EQ(found.size(), kItems + 1u);
  for (const auto& [key_text, entry] : found) {
    if (kIsAlternator) {
      EXPECT_EQ(entry.kind, state::ChangeKind::reread) << key_text;
      continue;
    }
    const bool removed = key_text == key(7);
    EXPECT_EQ(entry.kind, removed ? state::ChangeKind::removal : state::ChangeKind::image) << key_text;
    if (removed) continue;
    const bool later = key_text == key(8) || key_text == key(9);
    const std::string version = key_text == key(100) ? "1" : later ? "4" : "3";
    const auto image = item::parse_item(entry.image);
    ASSERT_TRUE(image) << entry.image;
    EXPECT_NE(item::to_json(*image).find("{\"N\":\"" + version + "\"}"), std::string::npos) << entry.image;
  }
}

}  // namespace
}  // namespace messina::jobs

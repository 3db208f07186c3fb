// prepare_schema() against catalogs in memory, in virtual time.
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include "jobs/schema.h"
#include "sim_loop.h"

namespace messina::simulation {
namespace {

using namespace std::chrono_literals;
using endpoints::TableDescription;
using endpoints::TableStatus;

/// One table that takes a while to become active.
class SlowCatalog final : public endpoints::Catalog {
 public:
  explicit SlowCatalog(SimLoop& loop) : loop_(loop) {}
  Task<Result<TableDescription>> describe(std::vector<std::string>*) override {
    co_await loop_.sleep_for(5ms, nullptr);
    if (!table) co_return fail(ErrorKind::not_found, "no such table", "ResourceNotFoundException");
    TableDescription answer = *table;
    if (loop_.now() < active_at) answer.status = TableStatus::creating;
    co_return answer;
  }
  Task<Result<void>> create(const TableDescription& wanted) override {
    co_await loop_.sleep_for(5ms, nullptr);
    table = wanted;
    active_at = loop_.now() + takes;
    // The answer is lost once: the second attempt finds the table there.
    if (creations++ == 0) co_return fail(ErrorKind::transient, "the connection was cut");
    co_return fail(ErrorKind::exists, "it exists", "ResourceInUseException");
  }
  Task<Result<void>> remove() override { co_return fail(ErrorKind::internal, "no job deletes tables"); }
  Task<Result<bool>> empty() override { co_return true; }

  std::optional<TableDescription> table;
  MonoTime active_at{};
  Duration takes = 20s;
  int creations = 0;

 private:
  SimLoop& loop_;
};

class SchemaCases : public testing::Test {
 protected:
  SchemaCases() {
    auto from = std::make_unique<SlowCatalog>(loop);
    auto to = std::make_unique<SlowCatalog>(loop);
    from->table.emplace();
    from->table->key.partition = {"id", item::Type::S};
    from->table->ttl_attribute = "expires";
    source_catalog = from.get();
    target_catalog = to.get();
    source.display = "table \"a\" (source)";
    source.catalog = std::move(from);
    target.display = "table \"b\" (target)";
    target.table.value = "b";
    target.catalog = std::move(to);
  }
  Result<jobs::SchemaReport> prepare() {
    std::optional<Result<jobs::SchemaReport>> result;
    asio::co_spawn(loop.executor(), jobs::prepare_schema(loop, source, target, options, &stop),
                   [&result](std::exception_ptr, Result<jobs::SchemaReport> r) { result = std::move(r); });
    while (!result) {
      if (loop.run_one()) continue;
      universe.advance_to(loop.next_timer());
      loop.fire_due_timers();
    }
    return *result;
  }

  Universe universe{1};
  SimLoop loop{universe};
  Stop stop;
  jobs::SchemaOptions options;
  SlowCatalog* source_catalog = nullptr;
  SlowCatalog* target_catalog = nullptr;
  endpoints::Endpoint source, target;
};

TEST_F(SchemaCases, MakesTheTableOnceAndWaitsUntilItIsActive) {
  const Result<jobs::SchemaReport> report = prepare();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->created);
  ASSERT_TRUE(report->target);
  EXPECT_EQ(report->target->status, TableStatus::active);
  EXPECT_EQ(report->target->key.partition.name, "id");
  EXPECT_EQ(target_catalog->creations, 2);
  ASSERT_EQ(report->notes.size(), 1u);
  EXPECT_EQ(report->notes[0].text.substr(0, 24), "TTL by attribute \"expire");
}

TEST_F(SchemaCases, WarnsOfNumberKeysThatScyllaDbShowsAlike) {
  source_catalog->table->key.sort = {"n", item::Type::N};
  ASSERT_EQ(prepare()->notes.size(), 1u) << "DynamoDB keeps no such twins";
  options.source_is_alternator = true;
  const Result<jobs::SchemaReport> report = prepare();
  ASSERT_EQ(report->notes.size(), 2u);
  EXPECT_NE(report->notes[1].text.find("key attribute \"n\" is a number"), std::string::npos);
}

TEST_F(SchemaCases, DoesNotWaitForEver) {
  target_catalog->takes = 1h;
  const Result<jobs::SchemaReport> report = prepare();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::busy);
  EXPECT_NE(report.error().message.find("still being created after 600 s"), std::string::npos);
}

TEST_F(SchemaCases, MakesNothingOnceAStopWasAskedFor) {
  stop.request();
  const Result<jobs::SchemaReport> report = prepare();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::stopped);
  EXPECT_EQ(target_catalog->creations, 0);
}

TEST_F(SchemaCases, OnlyComparesWhenItMayNotCreate) {
  options.create = false;
  const Result<jobs::SchemaReport> report = prepare();
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->created);
  EXPECT_FALSE(report->target);
  EXPECT_EQ(target_catalog->creations, 0);
}

TEST_F(SchemaCases, AnotherKeyOnTheTargetNeedsAPerson) {
  target_catalog->table.emplace();
  target_catalog->table->key.partition = {"other", item::Type::S};
  const Result<jobs::SchemaReport> report = prepare();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::needs_person);
  EXPECT_TRUE(report.error().message.starts_with(
      "table \"b\" (target): the target's key is \"other\" (S), it should be \"id\" (S)"))
      << report.error().message;
}

}  // namespace
}  // namespace messina::simulation

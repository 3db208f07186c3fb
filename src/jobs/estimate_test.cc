#include "jobs/estimate.h"

#include <limits>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

using testing::HasSubstr;

Prices prices() {
  Prices p;
  p.as_of = "2026-01-01";
  p.currency = "USD";
  p.region = "us-east-1";
  p.standard = {0.125, 0.00013};
  p.infrequent_access = {0.155, 0.00016};
  p.export_per_gb = 0.10;
  p.region_factors = {{"us-east-1", 1}, {"eu-west-1", 1.13}};
  return p;
}

EstimateQuestion gigabytes(double gb) {
  EstimateQuestion question;
  question.items = 1;
  question.bytes = static_cast<std::uint64_t>(gb * kBilledGb);
  question.region = "us-east-1";
  question.throughput_bytes_per_s = 100e6;
  return question;
}

TEST(Estimate, AScanReadsFourKilobytesAUnit) {
  const Estimate of = estimate(gigabytes(100), prices());
  EXPECT_EQ(*of.rcu_strong, 100 * 262'144.0);
  EXPECT_EQ(*of.rcu_eventual, 100 * 131'072.0);
  // 26.2 million units at $0.125 a million.
  EXPECT_NEAR(*of.cost_strong, 3.2768, 1e-9);
  EXPECT_NEAR(*of.cost_eventual, 1.6384, 1e-9);
  EXPECT_NEAR(*of.cost_export, 10.0, 1e-9);
  EXPECT_EQ(of.no_price, "");
}

TEST(Estimate, PartsOfAUnitCountWhole) {
  EstimateQuestion question = gigabytes(0);
  question.bytes = 4097;
  EXPECT_EQ(*estimate(question, prices()).rcu_strong, 2);
  question.bytes = 0;
  EXPECT_EQ(*estimate(question, prices()).rcu_strong, 0);
}

TEST(Estimate, ProvisionedCapacityIsPaidByTheHour) {
  EstimateQuestion question = gigabytes(1);
  question.on_demand = false;
  question.provisioned_read = 1'000;
  const Estimate of = estimate(question, prices());
  EXPECT_TRUE(of.provisioned);
  EXPECT_NEAR(*of.cost_strong, 262'144.0 / 3600 * 0.00013, 1e-12);
  EXPECT_EQ(of.limited_by, "half of the provisioned capacity");
  EXPECT_NEAR(*of.seconds, 2 * 262.144, 1e-9);
}

TEST(Estimate, InfrequentAccessCostsMoreToRead) {
  EstimateQuestion question = gigabytes(100);
  question.infrequent_access = true;
  EXPECT_NEAR(*estimate(question, prices()).cost_strong, 26.2144 * 0.155, 1e-9);
}

TEST(Estimate, OtherRegionsAreInProportionOrUnknown) {
  EstimateQuestion question = gigabytes(100);
  question.region = "eu-west-1";
  const Estimate dear = estimate(question, prices());
  EXPECT_NEAR(*dear.cost_export, 11.3, 1e-9);
  EXPECT_EQ(dear.region_factor, 1.13);
  question.region = "ap-south-2";
  const Estimate unknown = estimate(question, prices());
  EXPECT_FALSE(unknown.cost_strong);
  EXPECT_TRUE(unknown.rcu_strong);
  EXPECT_EQ(unknown.no_price, "no price known of ap-south-2");
}

TEST(Estimate, TheTightestLimitDecides) {
  EstimateQuestion question = gigabytes(1);
  // What a new on-demand table bears: 12,000 RCU a second, of which the copy takes half at most.
  EXPECT_EQ(estimate(question, prices()).limited_by, "half of what the on-demand table bears");
  EXPECT_NEAR(*estimate(question, prices()).seconds, 262'144.0 / 6'000, 1e-9);
  question.warm_read = 1'000'000;
  EXPECT_EQ(estimate(question, prices()).limited_by, "the target's throughput");
  EXPECT_NEAR(*estimate(question, prices()).seconds, kBilledGb / 100e6, 1e-9);
  question.read_share = 0.01;
  EXPECT_EQ(estimate(question, prices()).limited_by, "--read-share, of what the on-demand table bears");
  question.read_share.reset();
  question.read_rcu_per_s = 1'000;
  EXPECT_EQ(estimate(question, prices()).limited_by, "--read-rcu");
  question.read_cap = 500;
  EXPECT_EQ(estimate(question, prices()).limited_by, "the table's cap on reads");
  question.provisioned_read = 0;  // not told
  EXPECT_NEAR(*estimate(question, prices()).seconds, 262'144.0 / 500, 1e-9);
}

TEST(Estimate, EventuallyConsistentPagesAreHalfTheCostAndTime) {
  EstimateQuestion question = gigabytes(1);
  question.read_rcu_per_s = 100;
  const Estimate strong = estimate(question, prices());
  EXPECT_EQ(strong.rcu_copy(), strong.rcu_strong);
  EXPECT_EQ(strong.cost_copy(), strong.cost_strong);
  question.eventually_consistent = true;
  const Estimate half = estimate(question, prices());
  EXPECT_EQ(*half.rcu_copy(), *strong.rcu_copy() / 2);
  EXPECT_EQ(*half.cost_copy(), *strong.cost_copy() / 2);
  EXPECT_EQ(*half.seconds, *strong.seconds / 2);
  EXPECT_EQ(half.rcu_strong, strong.rcu_strong) << "what a comparison reads";
}

TEST(Estimate, ATargetsWriteCapacityIsABound) {
  EstimateQuestion question = gigabytes(1);
  question.warm_read = 10'000'000;
  question.throughput_bytes_per_s = 1e12;
  EXPECT_FALSE(estimate(question, prices()).wcu) << "not DynamoDB";
  question.writes.emplace();
  Estimate of = estimate(question, prices());
  EXPECT_EQ(*of.wcu, 1'048'576);
  EXPECT_EQ(of.limited_by, "half of what the on-demand target bears");
  EXPECT_NEAR(*of.seconds, 1'048'576.0 / 2'000, 1e-9);
  question.writes->warm = 40'000;
  EXPECT_NEAR(*estimate(question, prices()).seconds, 1'048'576.0 / 20'000, 1e-9);
  question.writes->cap = 500;
  of = estimate(question, prices());
  EXPECT_EQ(of.limited_by, "half of the target's cap on writes");
  EXPECT_NEAR(*of.seconds, 1'048'576.0 / 250, 1e-9);
  question.writes->provisioned = 100;
  question.writes->share = 0.1;
  of = estimate(question, prices());
  EXPECT_EQ(of.limited_by, "--write-share, of the target's provisioned capacity");
  EXPECT_NEAR(*of.seconds, 1'048'576.0 / 10, 1e-9);
  question.writes->share.reset();
  question.writes->wcu_per_s = 50;
  of = estimate(question, prices());
  EXPECT_EQ(of.limited_by, "--write-wcu");
  EXPECT_NEAR(*of.seconds, 1'048'576.0 / 50, 1e-9);
  question.writes->wcu_per_s = 5'000;
  EXPECT_EQ(estimate(question, prices()).limited_by, "the target's provisioned capacity");
  question.writes->wcu_per_s = std::numeric_limits<double>::infinity();
  EXPECT_NEAR(*estimate(question, prices()).seconds, 1'048'576.0 / 100, 1e-9);
  question.read_rcu_per_s = 1;
  EXPECT_EQ(estimate(question, prices()).limited_by, "--read-rcu") << "reading is slower";
}

TEST(Estimate, AnItemCostsAWriteUnitHoweverSmall) {
  EstimateQuestion question = gigabytes(0);
  question.writes.emplace();
  question.bytes = 10'000;
  question.items = 1'000;
  EXPECT_EQ(*estimate(question, prices()).wcu, 1'000);
  question.items.reset();
  EXPECT_EQ(*estimate(question, prices()).wcu, 10);
}

/// Tables of so many GB, with the same settings.
Estimate all_of(std::vector<EstimateQuestion> questions, std::uint32_t parallel) {
  std::vector<Estimate> estimates;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    questions[i].table = fmt::format("t{}", i);
    estimates.push_back(estimate(questions[i], prices()));
  }
  return estimate_all(questions, estimates, parallel);
}

TEST(Estimate, ManyTablesShareRateAndTarget) {
  EstimateQuestion small = gigabytes(1), large = gigabytes(3);
  small.warm_read = large.warm_read = 1'000'000;
  Estimate all = all_of({small, large}, 2);
  EXPECT_EQ(*all.rcu_strong, 4 * 262'144.0);
  EXPECT_EQ(*all.items, 2u);
  EXPECT_NEAR(*all.cost_strong, 4 * 262'144.0 * 0.125e-6, 1e-12);
  EXPECT_NEAR(*all.cost_export, 0.4, 1e-12);
  EXPECT_EQ(all.limited_by, "the target's throughput");
  EXPECT_NEAR(*all.seconds, 4 * kBilledGb / 100e6, 1e-9);
  small.read_rcu_per_s = large.read_rcu_per_s = 1'000;
  all = all_of({small, large}, 2);
  EXPECT_EQ(all.limited_by, "--read-rcu");
  EXPECT_NEAR(*all.seconds, 4 * 262.144, 1e-9);
}

TEST(Estimate, EachOfManyTablesHasItsTargetsCapacity) {
  EstimateQuestion fast = gigabytes(1), slow = gigabytes(1);
  fast.writes.emplace();
  slow.writes.emplace();
  slow.writes->provisioned = 2;
  const Estimate all = all_of({fast, slow}, 2);
  EXPECT_EQ(*all.wcu, 2 * 1'048'576);
  EXPECT_EQ(all.limited_by, "table \"t1\": half of the target's provisioned capacity");
  EXPECT_NEAR(*all.seconds, 1'048'576, 1e-9);
}

TEST(Estimate, ManyTablesHaveCapacitiesOfTheirOwn) {
  EstimateQuestion slow = gigabytes(1);
  slow.on_demand = false;
  slow.provisioned_read = 100;  // 50 RCU a second are ours: 5,243 s
  EstimateQuestion fast = gigabytes(1);
  Estimate all = all_of({fast, slow, fast}, 4);
  EXPECT_EQ(all.limited_by, "table \"t1\": half of the provisioned capacity");
  EXPECT_NEAR(*all.seconds, 262'144.0 / 50, 1e-9);
  EXPECT_TRUE(all.partly_provisioned);
  EXPECT_FALSE(all.provisioned);
  all = all_of({slow, slow, slow, slow}, 2);
  EXPECT_EQ(all.limited_by, "the tables' capacities, 2 at a time");
  EXPECT_NEAR(*all.seconds, 2 * 262'144.0 / 50, 1e-9);
  EXPECT_TRUE(all.provisioned);
}

TEST(Estimate, TablesWithoutASizeAreCountedAndLeftOut) {
  EstimateQuestion unknown = gigabytes(1);
  unknown.bytes.reset();
  unknown.items.reset();
  const Estimate some = all_of({unknown, gigabytes(2)}, 4);
  EXPECT_EQ(some.without_size, 1u);
  EXPECT_EQ(*some.rcu_strong, 2 * 262'144.0);
  EXPECT_EQ(some.no_price, "");
  const Estimate none = all_of({unknown, unknown}, 4);
  EXPECT_FALSE(none.seconds || none.cost_strong);
  EXPECT_EQ(none.no_price, "the table's size is not known");
}

TEST(Estimate, KeepsWhereTheThroughputIsFrom) {
  EstimateQuestion question = gigabytes(1);
  question.throughput = Throughput::measured;
  EXPECT_EQ(to_string(estimate(question, prices()).throughput), "measured");
  EXPECT_EQ(estimate(question, prices()).throughput_bytes_per_s, 100e6);
}

TEST(Estimate, AnAlternatorHasTimeAndNoPrice) {
  EstimateQuestion question = gigabytes(1);
  question.region.clear();
  const Estimate of = estimate(question, prices());
  EXPECT_TRUE(of.seconds);
  EXPECT_FALSE(of.rcu_strong);
  EXPECT_EQ(of.no_price, "the source is not DynamoDB");
  question.bytes.reset();
  EXPECT_FALSE(estimate(question, prices()).seconds);
}

TEST(Prices, TheBuiltInOnesAreDated) {
  EXPECT_THAT(built_in_prices().as_of, testing::MatchesRegex("20[0-9][0-9]-[01][0-9]-[0-3][0-9]"));
  EXPECT_EQ(built_in_prices().region_factors.at(built_in_prices().region), 1);
  EXPECT_GT(built_in_prices().infrequent_access.read_per_million,
            built_in_prices().standard.read_per_million);
}

TEST(Prices, MistakesAreNamed) {
  const auto message = [](std::string_view text) {
    const auto parsed = parse_prices(text);
    return parsed ? std::string("parsed") : parsed.error().message;
  };
  EXPECT_THAT(message("{"), HasSubstr("no JSON object"));
  EXPECT_THAT(message("{}"), HasSubstr("\"as_of\" must be a text"));
  EXPECT_THAT(message(R"({"as_of":"a","currency":"USD","region":"r","standard":{"read_per_million":-1},
      "infrequent_access":{"read_per_million":1,"read_capacity_hour":1},"export_per_gb":1,"region_factors":{}})"),
              HasSubstr("\"standard\" must be"));
  EXPECT_THAT(message(R"({"as_of":"a","currency":"USD","region":"r",
      "standard":{"read_per_million":1,"read_capacity_hour":1},
      "infrequent_access":{"read_per_million":1,"read_capacity_hour":1},"export_per_gb":1,
      "region_factors":{"r":"one"}})"),
              HasSubstr("\"r\" must be a number"));
}

TEST(Estimate, AMissingTargetIsMadeAsTheSourceIs) {
  CheckFacts facts;
  endpoints::TableSeen source;
  source.table.on_demand = false;
  source.table.write_capacity = 7;
  source.table.most_writes = 9;
  facts.source.described = source;
  facts.target.described = fail(ErrorKind::not_found, "no such table");
  facts.write_share = 0.25;
  auto writes = estimate_question(facts).writes;
  ASSERT_TRUE(writes);
  EXPECT_EQ(writes->provisioned, 7u);
  EXPECT_EQ(writes->share, 0.25);
  EXPECT_FALSE(writes->cap);
  endpoints::TableSeen target;
  target.table.most_writes = 11;
  target.table.warm_writes = 13;
  facts.target.described = target;
  writes = estimate_question(facts).writes;
  EXPECT_FALSE(writes->provisioned);
  EXPECT_EQ(writes->cap, 11u);
  EXPECT_EQ(writes->warm, 13u);
  facts.target.alternator = true;
  EXPECT_FALSE(estimate_question(facts).writes);
}

}  // namespace
}  // namespace messina::jobs

// Holds the parser, the docs and the editors' schema to the one table of keys.
//   MESSINA_WRITE_DOCS=1 build/release/src/plan/plan_test --gtest_filter='PlanKeys*'    writes the two files
//   anew
#include "plan/plan_keys.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "plan/plan_file.h"

namespace messina::plan {
namespace {

constexpr std::string_view kBegin = "<!-- keys: written by plan_keys_test -->\n";
constexpr std::string_view kEnd = "<!-- end of keys -->\n";

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

void expect_file(const std::string& path, const std::string& wanted) {
  if (std::getenv("MESSINA_WRITE_DOCS") != nullptr) std::ofstream(path) << wanted;
  EXPECT_EQ(file_text(path), wanted) << "run with MESSINA_WRITE_DOCS=1 and look at the diff";
}

TEST(PlanKeys, AreThoseOfTheDocs) {
  const std::string path = MESSINA_SOURCE_DIR "/docs/formats/plan-files.md";
  const std::string text = file_text(path);
  const std::size_t begin = text.find(kBegin), end = text.find(kEnd);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos && begin < end)
      << "the markers are gone";
  expect_file(path, text.substr(0, begin + kBegin.size()) + keys_as_markdown() + text.substr(end));
}

TEST(PlanKeys, AreThoseOfTheSchema) {
  expect_file(MESSINA_SOURCE_DIR "/docs/formats/plan.schema.json", keys_as_json_schema());
}

TEST(PlanKeys, StandOnceInTheirPlace) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const PlanKey& key : plan_keys()) {
    EXPECT_TRUE(seen.emplace(key.place, key.name).second) << key.place << "." << key.name;
    EXPECT_FALSE(key.says.empty()) << key.name;
  }
}

/// A plan in which `key` stands in its place with an impossible value.
std::string plan_with(std::string_view place, std::string_view key) {
  static const std::map<std::string_view, std::string_view> kPlans = {
      {"plan", "{}: {{oops: 1}}"},
      {"side", "source: {{{}: {{oops: 1}}}}"},
      {"source", "source: {{{}: {{oops: 1}}}}"},
      {"target", "target: {{{}: {{oops: 1}}}}"},
      {"alternator", "target: {{alternator: {{{}: {{oops: 1}}}}}}"},
      {"endpoint", "target: {{endpoint: {{{}: {{oops: 1}}}}}}"},
      {"credentials", "target: {{credentials: {{{}: {{oops: 1}}}}}}"},
      {"assumeRole", "target: {{credentials: {{assumeRole: {{{}: {{oops: 1}}}}}}}}"},
      {"table", "tables: [{{{}: {{oops: 1}}}}]"},
      {"rename", "renames: [{{{}: {{oops: 1}}}}]"},
      {"savepoints", "savepoints: {{{}: {{oops: 1}}}}"},
      {"validation", "validation: {{{}: {{oops: 1}}}}"},
  };
  return fmt::format(fmt::runtime(kPlans.at(place)), key);
}

TEST(PlanKeys, AreTakenByTheParser) {
  const auto nothing = [](std::string_view) -> std::optional<std::string> { return std::nullopt; };
  for (const PlanKey& key : plan_keys()) {
    const auto draft = parse_plan_file(plan_with(key.place, key.name), "p.yaml", nothing);
    const std::string said = draft ? "" : draft.error().message;
    EXPECT_EQ(said.find(fmt::format("unknown key \"{}\"", key.name)), std::string::npos) << said;
    EXPECT_EQ(said.find(fmt::format(".{}\"", key.name) + ", did you"), std::string::npos) << said;
    // Whatever it says of the value, it knows the key.
    if (key.use == KeyUse::honoured && key.shape != KeyShape::anything) {
      EXPECT_FALSE(draft) << key.name;
    }
    const auto unknown = parse_plan_file(plan_with(key.place, "qqqqqqqq"), "p.yaml", nothing);
    ASSERT_FALSE(unknown) << key.place;
    EXPECT_NE(unknown.error().message.find("unknown key"), std::string::npos) << unknown.error().message;
  }
}

TEST(PlanKeys, AbsentOnesOfMigratorMayBeNull) {
  const auto nothing = [](std::string_view) -> std::optional<std::string> { return std::nullopt; };
  for (const PlanKey& key : plan_keys()) {
    if (key.origin != KeyOrigin::theirs) continue;
    std::string plan = plan_with(key.place, key.name);
    plan.replace(plan.find("{oops: 1}"), 9, "null");
    const auto draft = parse_plan_file(plan, "p.yaml", nothing);
    const std::string said = draft ? "" : draft.error().message;
    if (said.ends_with("is missing")) continue;  // of a mapping that is nothing without it
    EXPECT_EQ(said.find(key.name), std::string::npos) << said;
  }
}

}  // namespace
}  // namespace messina::plan

// docs/operate describes the metrics that there are, and its alerts and its dashboard use no others.
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "console/metrics.h"

namespace messina::console {
namespace {

namespace json = boost::json;

std::string read_page(const std::string& name) {
  const std::string path = MESSINA_SOURCE_DIR "/docs/operate/" + name;
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(MetricsDocs, DescribeTheMetricsThatThereAreAndNoOthers) {
  std::set<std::string> described, there;
  static const std::regex kRow(R"(\| `(messina_[a-z_]+)` \| ([a-z]+) \| (.*) \| (.*) \|)");
  std::istringstream lines(read_page("metrics.md"));
  std::smatch found;
  for (std::string line; std::getline(lines, line);)
    if (std::regex_match(line, found, kRow)) described.insert(line);
  for (const MetricInfo& metric : metric_catalog())
    there.insert(fmt::format("| `{}` | {} | {} | {} |", metric.name, metric.type,
                             metric.label.empty() ? "" : "`" + metric.label + "`", metric.help));
  EXPECT_EQ(described, there);
}

TEST(MetricsDocs, AlertsAndDashboardUseMetricsThatThereAre) {
  std::set<std::string> names;
  for (const MetricInfo& metric : metric_catalog()) names.insert(metric.name);
  static const std::regex kName("messina_[a-z_]+");
  for (const char* page : {"alerts.yaml", "dashboard.json", "metrics.md", "watching.md", "trouble.md"}) {
    const std::string text = read_page(page);
    std::size_t used = 0;
    for (std::sregex_iterator at(text.begin(), text.end(), kName), end; at != end; ++at, ++used)
      EXPECT_TRUE(names.contains(at->str())) << page << ": " << at->str();
    EXPECT_TRUE(used > 0 || page == std::string("trouble.md")) << page;
  }
  EXPECT_NO_THROW(json::parse(read_page("dashboard.json")));
}

}  // namespace
}  // namespace messina::console

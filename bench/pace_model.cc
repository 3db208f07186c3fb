// Step responses of the governors in virtual time, as one JSON object: bench/pace.py draws them.
#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "pace/virtual_source.h"
#include "pace/virtual_target.h"

namespace messina::pace {
namespace {

using namespace std::chrono_literals;

struct Budget {
  double rate, used, overshoot;
};

Budget budget(double rate) {
  VirtualSource source({.item_bytes = 1000, .spread = 1});
  const int workers = static_cast<int>(std::clamp(rate * 0.3 / kFullPageUnits, 16.0, 64.0));
  source.run(rate, std::nullopt, workers, 120s);
  return {rate, source.spent_between(5s, 120s) / (rate * 115), source.most_in_window(10s) / (rate * 10) - 1};
}

/// RCU of each second while the rate goes from 4,000 to 500, and to 8,000.
std::vector<double> read_steps() {
  VirtualSource source({.item_bytes = 1000, .spread = 1});
  source.set_rate_at(20s, 500);
  source.set_rate_at(40s, 8000);
  source.run(4000, std::nullopt, 32, 60s);
  std::vector<double> seconds;
  for (int i = 0; i < 60; ++i) seconds.push_back(source.spent_between(i * 1s, (i + 1) * 1s));
  return seconds;
}

struct Writes {
  std::vector<double> limits, rates;
  double best = 0, found = 0, recovery_s = 0;
};

/// 64 places of 20 ms each, nothing answered from 40 s to 60 s, three times as slow from 90 s on.
Writes writes() {
  VirtualTarget target({.places = 64, .jitter = 0.3});
  target.stall(40s, 60s);
  target.slow_down_at(90s, 3);
  ConcurrencyLimit limit({.start = 32});
  target.run(limit, 120s);
  Writes result;
  for (int i = 0; i < 120; ++i) {
    result.limits.push_back(target.mean_limit_between(i * 1s, (i + 1) * 1s));
    result.rates.push_back(target.rate_between(i * 1s, (i + 1) * 1s));
  }
  result.best = 64 / 0.020;
  result.found = target.rate_between(10s, 40s) / result.best;
  // The first second from which on three have 95 %.
  int second = 60;
  while (second < 87 && target.rate_between(second * 1s, (second + 3) * 1s) < 0.95 * result.best) ++second;
  result.recovery_s = second - 60;
  return result;
}

}  // namespace
}  // namespace messina::pace

int main() {
  using namespace messina::pace;
  std::string budgets;
  for (const double rate : {100.0, 300.0, 1000.0, 8000.0, 40'000.0}) {
    const Budget b = budget(rate);
    budgets += fmt::format(R"({}{{"rate":{},"used":{:.4f},"overshoot":{:.4f}}})", budgets.empty() ? "" : ",",
                           b.rate, b.used, b.overshoot);
  }
  const Writes w = writes();
  fmt::print(
      R"({{"budgets":[{}],"read_steps":[{:.0f}],"limits":[{:.1f}],"rates":[{:.0f}],"best":{},"found":{:.4f},)"
      R"("recovery_s":{}}})"
      "\n",
      budgets, fmt::join(read_steps(), ","), fmt::join(w.limits, ","), fmt::join(w.rates, ","), w.best,
      w.found, w.recovery_s);
  return 0;
}

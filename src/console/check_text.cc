#include "console/check_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/json_text.h"
#include "console/json_line.h"
#include "console/numbers.h"
#include "console/progress_text.h"

namespace messina::console {
namespace {

using jobs::Finding;
using Level = Finding::Level;

std::string heading(const std::string& side) {
  if (side == "move") return "what will not survive the move\n";
  if (side == "machine") return "this machine\n";
  return side + "\n";
}

/// "dynamodb:DescribeTable" → "DescribeTable"; other services' keep their names.
std::string short_action(const std::string& action) {
  static constexpr std::string_view kPrefix = "dynamodb:";
  return action.starts_with(kPrefix) ? action.substr(kPrefix.size()) : action;
}

std::string side_text(const std::vector<Finding>& findings, const std::string& side) {
  std::string text, allowed;
  for (const Finding& finding : findings) {
    if (finding.side != side) continue;
    if (finding.level == Level::ok && !finding.call.empty()) {
      allowed += (allowed.empty() ? "" : ", ") + short_action(finding.call);
      continue;
    }
    text += fmt::format("  {:<5} {}\n", jobs::to_string(finding.level), one_line(finding.text));
    if (!finding.fix.empty()) text += fmt::format("        way out: {}\n", one_line(finding.fix));
  }
  if (!allowed.empty()) text += fmt::format("  ok    answered: {}\n", allowed);
  return text.empty() ? text : heading(side) + text;
}

std::string money(double amount, const std::string& currency) {
  const std::string sign = currency == "USD" ? "$" : currency + " ";
  if (amount > 0 && amount < 0.01) return "less than " + sign + "0.01";
  return "about " + sign +
         (amount < 1000 ? fmt::format("{:.2f}", amount) : grouped(static_cast<std::uint64_t>(amount + 0.5)));
}

std::string cost_text(const std::optional<double>& cost, const jobs::Estimate& estimate, bool of_capacity) {
  if (!cost) return "";
  return fmt::format(", {}{}", money(*cost, estimate.currency),
                     of_capacity && estimate.provisioned ? " of the capacity that is paid for anyway" : "");
}

/// Where the target's throughput is from, if that limits and nobody gave it.
std::string throughput_text(const jobs::Estimate& estimate) {
  if (estimate.limited_by != jobs::kTargetThroughput) return "";
  switch (estimate.throughput) {
    case jobs::Throughput::given:
      return "";
    case jobs::Throughput::measured:
      return " (as the copy has measured it)";
    case jobs::Throughput::assumed:
      break;
  }
  return fmt::format(" ({} a second is assumed: --throughput)", bytes(estimate.throughput_bytes_per_s));
}

std::string estimate_text(const jobs::Estimate& estimate) {
  std::string text = "time and cost\n";
  if (!estimate.bytes) return text + "  unknown: the source does not tell the table's size\n";
  text += fmt::format("  the table                {}{}, counted up to six hours ago\n",
                      bytes(static_cast<double>(*estimate.bytes)),
                      estimate.items ? ", " + counted(*estimate.items, "item") : "");
  if (estimate.seconds)
    text += fmt::format("  the copy takes           at least {}, by {}{}\n", duration(*estimate.seconds),
                        estimate.limited_by, throughput_text(estimate));
  const auto rcu = [](double units) {
    return (units < 10 ? fmt::format("{:g}", units) : grouped(static_cast<std::uint64_t>(units + 0.5))) +
           " RCU";
  };
  if (estimate.rcu_strong) {
    text += fmt::format("  a scan, strong           {}{}\n", rcu(*estimate.rcu_strong),
                        cost_text(estimate.cost_strong, estimate, true));
    text += fmt::format("  a scan, eventual         {}{}\n", rcu(*estimate.rcu_eventual),
                        cost_text(estimate.cost_eventual, estimate, true));
    text += "  each full comparison     as a scan\n";
  }
  if (estimate.cost_export)
    text += fmt::format("  an export to S3          0 RCU{}, and S3's own prices\n",
                        cost_text(estimate.cost_export, estimate, false));
  if (!estimate.no_price.empty()) {
    text += fmt::format("  prices                   none: {}\n", estimate.no_price);
  } else {
    text +=
        fmt::format("  prices                   of {}, {}{}\n", estimate.prices_as_of, estimate.prices_region,
                    estimate.region_factor == 1 ? "" : fmt::format(", times {}", estimate.region_factor));
  }
  return text;
}

}  // namespace

std::size_t CheckReport::count(Level level) const {
  return static_cast<std::size_t>(std::ranges::count(findings, level, &Finding::level));
}

std::string check_text(const CheckReport& report) {
  std::string text = fmt::format("check {} to {}\n", report.source, report.target);
  for (const char* side : {"source", "target", "move", "machine"}) text += side_text(report.findings, side);
  text += estimate_text(report.estimate);
  if (!report.made.empty()) {
    text += "made on the target by the copy\n";
    for (const std::string& thing : report.made) text += fmt::format("  {}\n", one_line(thing));
  }
  const std::size_t stops = report.count(Level::stop);
  text += fmt::format(
      "{}, {}: {}\n", counted(stops, "stop"), counted(report.count(Level::note), "note"),
      stops > 0 ? "the copy would not work; nothing was changed" : "the copy can start; nothing was changed");
  return text;
}

std::string finding_event(WallTime time, const Finding& finding) {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
  };
  return JsonLine("finding", time)
      .text("level", jobs::to_string(finding.level))
      .text("side", finding.side)
      .text("id", finding.id)
      .optional("call", or_null(finding.call))
      .text("text", finding.text)
      .optional("fix", or_null(finding.fix))
      .str();
}

std::string check_event(WallTime time, const CheckReport& report) {
  const jobs::Estimate& estimate = report.estimate;
  const auto or_null = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
  };
  std::string made = "[";
  for (const std::string& thing : report.made) {
    if (made.size() > 1) made += ',';
    made += json_string(valid_utf8(thing));
  }
  made += ']';
  const std::string numbers = JsonLine()
                                  .optional("items", estimate.items)
                                  .optional("bytes", estimate.bytes)
                                  .optional("seconds", estimate.seconds)
                                  .optional("limited_by", or_null(estimate.limited_by))
                                  .number("throughput", estimate.throughput_bytes_per_s)
                                  .text("throughput_is", jobs::to_string(estimate.throughput))
                                  .optional("rcu_strong", estimate.rcu_strong)
                                  .optional("rcu_eventual", estimate.rcu_eventual)
                                  .optional("cost_strong", estimate.cost_strong)
                                  .optional("cost_eventual", estimate.cost_eventual)
                                  .optional("cost_export", estimate.cost_export)
                                  .flag("provisioned", estimate.provisioned)
                                  .text("currency", estimate.currency)
                                  .text("prices_as_of", estimate.prices_as_of)
                                  .text("prices_region", estimate.prices_region)
                                  .number("region_factor", estimate.region_factor)
                                  .optional("no_price", or_null(estimate.no_price))
                                  .str();
  return JsonLine("check", time)
      .text("source", report.source)
      .text("target", report.target)
      .whole("ok", report.count(Level::ok))
      .whole("notes", report.count(Level::note))
      .whole("stops", report.count(Level::stop))
      .raw("estimate", numbers)
      .raw("made", made)
      .whole("exit_code", static_cast<std::uint64_t>(report.exit()))
      .str();
}

}  // namespace messina::console

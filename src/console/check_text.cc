#include "console/check_text.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/json_text.h"
#include "console/json_line.h"
#include "console/numbers.h"
#include "console/progress_text.h"

namespace messina::console {
namespace {

using jobs::Finding;
using Level = Finding::Level;

constexpr std::array kSides = {"source", "target", "move", "machine"};

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
  const char* paid = estimate.provisioned          ? " of the capacity that is paid for anyway"
                     : estimate.partly_provisioned ? ", in part of capacity that is paid for anyway"
                                                   : "";
  return fmt::format(", {}{}", money(*cost, estimate.currency), of_capacity ? paid : "");
}

/// Both ways to scan, and which of them the copy takes. Comparing reads strongly whatever the copy does.
std::string scans_text(const jobs::Estimate& estimate) {
  const auto line = [&](const char* label, double units, const std::optional<double>& cost,
                        const char* whose) {
    return fmt::format(
        "  {:<24} {} RCU{}: {}\n", label,
        units < 10 ? fmt::format("{:g}", units) : grouped(static_cast<std::uint64_t>(units + 0.5)),
        cost_text(cost, estimate, true), whose);
  };
  if (estimate.eventually_consistent)
    return line("a scan, strong", *estimate.rcu_strong, estimate.cost_strong, "each full comparison") +
           line("a scan, eventual", *estimate.rcu_eventual, estimate.cost_eventual,
                "the copy, by --eventually-consistent");
  return line("a scan, strong", *estimate.rcu_strong, estimate.cost_strong,
              "the copy, and each full comparison") +
         line("a scan, eventual", *estimate.rcu_eventual, estimate.cost_eventual,
              "the copy with --eventually-consistent");
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
  const bool many = estimate.tables > 1;
  std::string text = many ? "time and cost of all\n" : "time and cost\n";
  if (!estimate.bytes)
    return text + (many ? "  unknown: the source does not tell the tables' sizes\n"
                        : "  unknown: the source does not tell the table's size\n");
  text += fmt::format("  {:<24} {}{}, counted up to six hours ago\n", many ? "the tables" : "the table",
                      bytes(static_cast<double>(*estimate.bytes)),
                      estimate.items ? ", " + counted(*estimate.items, "item") : "");
  if (many && estimate.without_size > 0)
    text += fmt::format("  {:<24} {}, whose size is not told\n", "left out",
                        counted(estimate.without_size, "table"));
  if (estimate.seconds)
    text += fmt::format("  {:<24} at least {}, by {}{}\n", many ? "the copies take" : "the copy takes",
                        duration(*estimate.seconds), estimate.limited_by, throughput_text(estimate));
  if (estimate.rcu_strong) text += scans_text(estimate);
  if (estimate.wcu)
    text += fmt::format("  {:<24} {} WCU or more, whose price is not reckoned\n", "writing to the target",
                        grouped(static_cast<std::uint64_t>(*estimate.wcu)));
  if (estimate.cost_export)
    text += fmt::format("  {:<24} 0 RCU{}, and S3's own prices\n", many ? "exports to S3" : "an export to S3",
                        cost_text(estimate.cost_export, estimate, false));
  if (!estimate.no_price.empty()) {
    text += fmt::format("  {:<24} none: {}\n", "prices", estimate.no_price);
  } else {
    text += fmt::format("  {:<24} of {}, {}{}\n", "prices", estimate.prices_as_of, estimate.prices_region,
                        estimate.region_factor == 1 ? "" : fmt::format(", times {}", estimate.region_factor));
  }
  return text;
}

bool same_words(const Finding& a, const Finding& b) {
  return a.level == b.level && a.side == b.side && a.id == b.id && a.text == b.text;
}

bool holds(const std::vector<Finding>& findings, const Finding& finding) {
  return std::ranges::any_of(findings, [&](const Finding& other) { return same_words(other, finding); });
}

/// Notes and stops that every table has in the same words: of hundreds of tables nobody reads them hundreds
/// of times.
std::vector<Finding> of_every_table(const std::vector<CheckReport>& tables) {
  std::vector<Finding> common;
  if (tables.size() < 2) return common;
  for (const Finding& finding : tables.front().findings) {
    const auto has_it = [&](const CheckReport& table) { return holds(table.findings, finding); };
    if (finding.level != Level::ok && std::ranges::all_of(tables, has_it)) common.push_back(finding);
  }
  return common;
}

std::string finding_text(const Finding& finding) {
  return fmt::format("  {:<5} {}: {}\n        way out: {}\n", jobs::to_string(finding.level), finding.side,
                     one_line(finding.text), one_line(finding.fix));
}

/// Notes and stops of one table of many but those that were said, and what its copy makes.
std::string table_text(const CheckReport& report, const std::vector<Finding>& said) {
  const std::string renamed = report.target_table == report.source_table
                                  ? std::string()
                                  : fmt::format(" to \"{}\"", one_line(report.target_table));
  const jobs::Estimate& estimate = report.estimate;
  const std::string size = estimate.bytes
                               ? fmt::format(": {}{}", bytes(static_cast<double>(*estimate.bytes)),
                                             estimate.items ? ", " + counted(*estimate.items, "item") : "")
                               : std::string();
  std::string text = fmt::format("table \"{}\"{}{}\n", one_line(report.source_table), renamed, size);
  for (const Finding& finding : report.findings) {
    if (finding.level == Level::ok || holds(said, finding)) continue;
    text += finding_text(finding);
  }
  if (const std::size_t oks = report.count(Level::ok); oks > 0)
    text += fmt::format("  ok    {}\n", counted(oks, "finding"));
  const bool looked_at =
      std::ranges::find(report.findings, "source", &Finding::side) != report.findings.end();
  if (!looked_at) text += "  not looked at: the source does not answer\n";
  for (const std::string& thing : report.made.lines) text += fmt::format("  made  {}\n", one_line(thing));
  return text;
}

std::string end_text(std::size_t stops, std::size_t notes, const std::string& of, const char* what) {
  return fmt::format("{}, {}{}: the {}; nothing was changed\n", counted(stops, "stop"),
                     counted(notes, "note"), of,
                     stops > 0 ? fmt::format("{} would not work", what) : fmt::format("{} can start", what));
}

std::size_t count_of(const std::vector<Finding>& findings, Level level) {
  return static_cast<std::size_t>(std::ranges::count(findings, level, &Finding::level));
}

ExitCode exit_of(std::size_t stops) { return stops > 0 ? ExitCode::wrong_usage : ExitCode::done; }

std::optional<std::string> or_null(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

std::string estimate_json(const jobs::Estimate& estimate) {
  return JsonLine()
      .optional("items", estimate.items)
      .optional("bytes", estimate.bytes)
      .optional("seconds", estimate.seconds)
      .optional("wcu", estimate.wcu)
      .optional("limited_by", or_null(estimate.limited_by))
      .number("throughput", estimate.throughput_bytes_per_s)
      .text("throughput_is", jobs::to_string(estimate.throughput))
      .flag("eventually_consistent", estimate.eventually_consistent)
      .optional("rcu_copy", estimate.rcu_copy())
      .optional("rcu_strong", estimate.rcu_strong)
      .optional("rcu_eventual", estimate.rcu_eventual)
      .optional("cost_copy", estimate.cost_copy())
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
}

}  // namespace

std::size_t CheckReport::count(Level level) const { return count_of(findings, level); }
ExitCode CheckReport::exit() const { return exit_of(count(Level::stop)); }

std::size_t PlanReport::count(Level level) const {
  std::size_t count = count_of(for_all, level);
  for (const CheckReport& table : tables) count += table.count(level);
  return count;
}
std::size_t PlanReport::stopped_tables() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(tables, [](const CheckReport& table) { return table.count(Level::stop) > 0; }));
}
ExitCode PlanReport::exit() const { return exit_of(count(Level::stop)); }

std::string check_text(const CheckReport& report) {
  std::string text = fmt::format("check {} to {}\n", report.source, report.target);
  for (const char* side : kSides) text += side_text(report.findings, side);
  text += estimate_text(report.estimate);
  if (!report.made.lines.empty()) {
    text += "made on the target by the copy\n";
    for (const std::string& thing : report.made.lines) text += fmt::format("  {}\n", one_line(thing));
  }
  return text + end_text(report.count(Level::stop), report.count(Level::note), "", "copy");
}

std::string check_text(const PlanReport& report) {
  std::string text = fmt::format("check {} of {} to {}\n", counted(report.tables.size(), "table"),
                                 report.source, report.target);
  for (const char* side : kSides) text += side_text(report.for_all, side);
  const std::vector<Finding> common = of_every_table(report.tables);
  if (!common.empty()) text += "every table\n";
  for (const Finding& finding : common) text += finding_text(finding);
  for (const CheckReport& table : report.tables) text += table_text(table, common);
  text += estimate_text(report.estimate);
  if (report.made.tables > 0)
    text +=
        fmt::format("made on the target by the copies\n  {}, {}, {}\n", counted(report.made.tables, "table"),
                    report.made.indexes == 1 ? "1 index" : fmt::format("{} indexes", report.made.indexes),
                    counted(report.made.tags, "tag"));
  const std::size_t stopped = report.stopped_tables();
  return text + end_text(report.count(Level::stop), report.count(Level::note),
                         stopped > 0 ? fmt::format(", stops in {} of {}", stopped,
                                                   counted(report.tables.size(), "table"))
                                     : std::string(),
                         "copies");
}

std::string finding_event(WallTime time, const Finding& finding, const std::string& table) {
  return JsonLine("finding", time)
      .text("level", jobs::to_string(finding.level))
      .text("side", finding.side)
      .text("id", finding.id)
      .optional("table", or_null(table))
      .optional("call", or_null(finding.call))
      .text("text", finding.text)
      .optional("fix", or_null(finding.fix))
      .str();
}

std::string check_event(WallTime time, const CheckReport& report) {
  std::string made = "[";
  for (const std::string& thing : report.made.lines) {
    if (made.size() > 1) made += ',';
    made += json_string(valid_utf8(thing));
  }
  made += ']';
  return JsonLine("check", time)
      .text("source", report.source)
      .text("target", report.target)
      .whole("ok", report.count(Level::ok))
      .whole("notes", report.count(Level::note))
      .whole("stops", report.count(Level::stop))
      .raw("estimate", estimate_json(report.estimate))
      .raw("made", made)
      .whole("exit_code", static_cast<std::uint64_t>(report.exit()))
      .str();
}

std::string check_tables_event(WallTime time, const PlanReport& report) {
  return JsonLine("check_tables", time)
      .text("source", report.source)
      .text("target", report.target)
      .whole("tables", report.tables.size())
      .whole("tables_stopped", report.stopped_tables())
      .whole("ok", report.count(Level::ok))
      .whole("notes", report.count(Level::note))
      .whole("stops", report.count(Level::stop))
      .raw("estimate", estimate_json(report.estimate))
      .whole("tables_without_size", report.estimate.without_size)
      .raw("made", JsonLine()
                       .whole("tables", report.made.tables)
                       .whole("indexes", report.made.indexes)
                       .whole("tags", report.made.tags)
                       .str())
      .whole("exit_code", static_cast<std::uint64_t>(report.exit()))
      .str();
}

}  // namespace messina::console

#include "console/verify_page.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "console/cell_text.h"
#include "console/numbers.h"
#include "console/progress_text.h"

namespace messina::console {
namespace {

using jobs::VerifyFigures;
using jobs::VerifyRecord;
using jobs::VerifyScope;
using state::Verdict;
using Texts = std::vector<std::string>;

// ------------------------------------------------------------- the page's contents, for both formats

/// Without a head, each row's first cell says what the others are.
struct Table {
  Texts head;
  std::vector<Texts> rows;
  bool to_fill_in = false;  ///< by hand: its rows are high
};

struct Section {
  std::string title;
  Texts paragraphs, points;
  Table table;
};

struct Page {
  std::string title, verdict, made_by;
  bool verified = false;
  std::vector<Section> sections;
};

std::string time_or(std::int64_t unix_ms, const char* none) { return time_text(unix_ms).value_or(none); }

std::string or_unknown(const std::string& text) { return text.empty() ? "unknown" : text; }

std::string scope_text(const VerifyScope& scope) {
  if (scope.keys_alone) return "keys that were named";
  std::string text = scope.whole() ? "all items of the source" : "items of the source";
  if (scope.sample) text += fmt::format(", a sample of {:g} % of the keys", *scope.sample * 100);
  if (scope.segment)
    text += fmt::format(", segment {}/{} of its scan", scope.segment->index, scope.segment->total);
  if (!scope.looks_backward()) return text;
  return text + (scope.exhaustive ? "; each key of the target, looked up in the source"
                                  : "; the keys of the target, by their digest");
}

Section compared(const VerifyOutcome& outcome) {
  const VerifyRecord& record = outcome.figures.record;
  Section section{"What was compared", {}, {}, {}};
  section.table.rows = {
      {"Source", outcome.source},
      {"Source's table id", or_unknown(record.identity.source_table_id)},
      {"Target", outcome.target},
      {"Target's table id", or_unknown(record.identity.target_table_id)},
      {"Plan's fingerprint", or_unknown(record.identity.plan_fingerprint)},
      {"Scope", scope_text(record.scope)},
      {"Beside a live migration", record.live ? "yes: changes were applied to the target meanwhile" : "no"},
      {"Began", time_or(record.began_unix_ms, "not yet")},
      {"Ended", time_or(record.ended_unix_ms, "not yet")}};
  if (record.repaired_unix_ms > 0)
    section.table.rows.push_back(
        {"Repaired",
         fmt::format("{}: {} read again from the source, and judged again",
                     time_or(record.repaired_unix_ms, ""), counted(record.repaired_keys, "key"))});
  return section;
}

Section figures_of(const VerifyFigures& figures) {
  const VerifyRecord& record = figures.record;
  const auto units = [](double rcu) { return grouped(static_cast<std::uint64_t>(rcu + 0.5)) + " RCU"; };
  Section section{"Figures", {}, {}, {}};
  std::vector<Texts>& rows = section.table.rows;
  if (!record.scope.keys_alone)
    rows.push_back(
        {"Items of the source compared", fmt::format("{}, {}", grouped(figures.forward.items),
                                                     bytes(static_cast<double>(figures.forward.bytes)))});
  if (record.expected_items)
    rows.push_back(
        {"Items that the source's description counts (hours old)", grouped(*record.expected_items)});
  if (record.scope.looks_backward())
    rows.push_back({"Keys of the target read", grouped(figures.backward.items)});
  rows.push_back({record.scope.keys_alone ? "Keys judged" : "Keys that disagreed once, and were judged",
                  grouped(record.keys_judged)});
  if (record.live)
    rows.push_back({"Keys that were written meanwhile, and were judged", grouped(record.touched_judged)});
  for (const auto& [verdict, what] : {std::pair(Verdict::differs, "Keys whose items differ"),
                                      std::pair(Verdict::missing, "Keys only on the source"),
                                      std::pair(Verdict::extra, "Keys only on the target"),
                                      std::pair(Verdict::unsettled, "Keys that could not be judged"),
                                      std::pair(Verdict::rejected, "Keys that the target refused"),
                                      std::pair(Verdict::suspect, "Keys still to be judged")})
    rows.push_back({what, grouped(figures.notes_of(verdict))});
  rows.push_back({"Read of the source", units(figures.source_rcu())});
  rows.push_back({"Read of the target", units(figures.target_rcu())});
  return section;
}

Section digests(const VerifyRecord& record) {
  Section section{"Digests of the keys", {}, {}, {}};
  if (!record.scope.looks_backward()) {
    section.paragraphs.emplace_back("None: keys that only the target has were not looked for.");
  } else if (record.scope.exhaustive) {
    section.paragraphs.emplace_back("None: each key of the target was looked up in the source instead.");
  } else if (record.target_digest.empty()) {
    section.paragraphs.emplace_back("None yet.");
  } else {
    section.table.head = {"", "Source", "Target"};
    section.table.rows = {{"Keys", grouped(record.source_keys), grouped(record.target_keys)},
                          {"Sum of their hashes (hexadecimal)", record.source_digest, record.target_digest}};
    section.paragraphs.push_back(fmt::format("Bucket by bucket: {}.", digests_text(record)));
  }
  return section;
}

Section indexes(const VerifyRecord& record) {
  Section section{"Indexes of the target", {}, {}, {}};
  if (record.indexes.empty())
    section.paragraphs.emplace_back("There are none, or they were not reached yet.");
  section.table.head = {"Index", "Entries", "Missing", "Too many", "Could not be judged"};
  for (const jobs::IndexFindings& index : record.indexes) {
    if (index.absent)
      section.table.rows.push_back({index.name, "the target has no such index", "", "", ""});
    else
      section.table.rows.push_back({index.name, grouped(index.entries), grouped(index.missing),
                                    grouped(index.extra), grouped(index.unsettled)});
  }
  section.paragraphs.emplace_back(
      "The key attributes of the target's items say which entries an index is to have, and its Scan says "
      "which it has. Both were hashed and added up in buckets, as keys are. Where a bucket differed, an "
      "entry "
      "counts as missing, or as too many, if it was so twice, and the item was the same before and after. "
      "What "
      "else an index copies of an item was not compared.");
  return section;
}

Section groups(const std::vector<state::NoteGroup>& found) {
  Section section{"What was found", {}, {}, {}};
  if (found.empty()) {
    section.paragraphs.emplace_back("No key that differs, and none that could not be judged.");
    return section;
  }
  section.table.head = {"Items", "Verdict", "What they have in common"};
  for (const state::NoteGroup& group : first_groups(found, kMostGroupsListed))
    section.table.rows.push_back({grouped(group.keys), std::string(state::to_string(group.verdict)),
                                  group.cause.empty() ? "to be judged" : group.cause});
  if (const std::string more = more_groups_text(found, kMostGroupsListed); !more.empty())
    section.paragraphs.push_back(more + ", which are not listed here.");
  return section;
}

std::string forward_text(const VerifyScope& scope) {
  return fmt::format(
      "Forward. {}, and the two items were compared attribute by attribute as DynamoDB compares values: "
      "numbers by value, sets without order, lists in order. Attributes that the plan renames or drops were "
      "renamed and dropped first.",
      scope.keys_alone ? "Each key that was named was looked up on both sides"
                       : "The source was read item by item, each key was looked up on the target");
}

/// item/key_digest.h reckons the chance.
std::string backward_text(const VerifyRecord& record) {
  if (record.scope.exhaustive)
    return "Backward. The keys of the target were read, and each was looked up in the source.";
  return fmt::format(
      "Backward. The keys of both sides were hashed to 128 bits under a secret that was drawn for this "
      "verification, and were counted and added up in {}. Where number and sum of a bucket are equal, both "
      "sides have the same keys in it: the chance that a bucket hides a difference is at most 2^-85. Where "
      "they are not, and keys that were judged singly do not explain it, each key of the target in that "
      "bucket was looked up in the source.",
      counted(std::uint64_t{1} << record.bucket_bits, "bucket"));
}

/// PROTOCOL rule 17.
std::string differences_text(const VerifyRecord& record) {
  const std::string decides = fmt::format(
      "Where both readings of the source agree{}, the target's reading decides. Otherwise the key was judged "
      "again, and after {} times it counts as one that could not be judged.",
      record.live ? ", and the key was not written between them" : "", jobs::kMostJudgements);
  if (record.live)
    return "Differences. Changes were on their way while the sides were read. So a key that disagreed was "
           "judged: the source was read; then all that had been written until then was captured, and this "
           "key's changes were applied; then the target was read, and the source again. " +
           decides;
  return "Differences. A key that disagreed was judged: the source was read, the target, and the source "
         "again. " +
         decides +
         " Nothing waited for changes that were on their way: where a table was written to meanwhile, this "
         "page says how each item was when it was read.";
}

/// PROTOCOL rule 18.
std::string verified_text(const VerifyRecord& record) {
  if (!record.live || record.scope.keys_alone)
    return "Verified means that nothing of what this page covers differed, and that nothing of it could not "
           "be judged. It is said of the two tables with the ids above, under the plan with the fingerprint "
           "above.";
  return fmt::format(
      "Verified means that the two sides were equal as of {}, and that every key that was captured as "
      "written since then, until the pass ended, was looked at after it was written, and judged as above "
      "where it disagreed. It lapses with a gap in what was captured, with an item that the target refuses, "
      "with another plan, and when either table is made again.",
      time_or(record.began_unix_ms, "the beginning"));
}

Section meaning(const VerifyRecord& record) {
  Section section{"What the verdict means", {forward_text(record.scope)}, {}, {}};
  if (record.scope.looks_backward()) section.paragraphs.push_back(backward_text(record));
  section.paragraphs.push_back(differences_text(record));
  section.paragraphs.push_back(verified_text(record));
  return section;
}

Section not_covered(const VerifyRecord& record) {
  Section section{"What was not covered", {}, left_out(record.scope), {}};
  Texts& points = section.points;
  if (record.live)
    points.emplace_back("what is written after the end above: it is left to the live migration");
  else
    points.emplace_back(
        "items that were written to either table after they were read, and after the end above");
  points.emplace_back("attributes that the plan drops");
  if (!record.scope.indexes)
    points.emplace_back("secondary indexes, whose contents each side derives from its items");
  points.emplace_back(
      "settings of the tables: TTL (which is switched on at the cutover), streams, capacity, tags, backups, "
      "permissions");
  return section;
}

Page page_of(const VerifyOutcome& outcome, std::string_view version) {
  const VerifyRecord& record = outcome.figures.record;
  Page page;
  page.title = "Verification";
  page.verdict = verdict_text(outcome);
  page.made_by = fmt::format("messina {}", version);
  Texts against = jobs::not_verified_because(outcome.figures);
  page.verified = against.empty();
  if (!page.verified) page.sections.push_back({"What stands against it", {}, std::move(against), {}});
  std::vector<Section> sections{compared(outcome), figures_of(outcome.figures), digests(record),
                                groups(outcome.groups)};
  if (record.scope.indexes) sections.push_back(indexes(record));
  sections.push_back(meaning(record));
  sections.push_back(not_covered(record));
  std::ranges::move(sections, std::back_inserter(page.sections));
  Section signatures{"Signatures", {}, {}, {}};
  signatures.table = {{"Name", "Date", "Signature"}, {{"", "", ""}, {"", "", ""}}, true};
  page.sections.push_back(std::move(signatures));
  return page;
}

// ------------------------------------------------------------- HTML

std::string html(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html(const Table& table) {
  if (table.rows.empty()) return "";
  std::string out = table.to_fill_in ? "<table class=\"fill\">\n" : "<table>\n";
  if (!table.head.empty()) {
    out += "<tr>";
    for (const std::string& cell : table.head) out += fmt::format("<th scope=\"col\">{}</th>", html(cell));
    out += "</tr>\n";
  }
  for (const Texts& row : table.rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool names = i == 0 && table.head.empty();
      out += names ? fmt::format("<th scope=\"row\">{}</th>", html(row[i]))
                   : fmt::format("<td>{}</td>", html(row[i]));
    }
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

constexpr const char* kStyle = R"(body{font:15px/1.45 sans-serif;max-width:52em;margin:2em auto;padding:0 1em}
h1{font-size:1.6em}h2{font-size:1.15em;margin:1.6em 0 .4em}
table{border-collapse:collapse;width:100%}
th,td{border:1px solid #999;padding:.25em .5em;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{background:#f2f2f2;font-weight:600}
.fill td{height:3.2em;width:33%}
.verdict{border:2px solid;padding:.6em .8em;font-weight:600;overflow-wrap:anywhere}
.yes{border-color:#176617}.no{border-color:#a01818}
footer{margin-top:2em;color:#555;font-size:.85em}
@media print{body{max-width:none;margin:0;font-size:11pt}section{break-inside:avoid}th{background:none}}
)";

// ------------------------------------------------------------- Markdown

/// Text that stands for itself wherever it is put.
std::string markdown(std::string_view text) {
  static constexpr std::string_view kMeans = "\\`*_{}[]<>#|~&!$";
  std::string out;
  for (const char c : printable(text)) {
    // A line that begins so would be a list.
    if (kMeans.contains(c) || (out.empty() && (c == '-' || c == '+' || c == '='))) out += '\\';
    out += c;
  }
  return out;
}

std::string markdown_row(const Texts& cells) {
  std::string out = "|";
  for (const std::string& cell : cells) out += fmt::format(" {} |", markdown(cell));
  return out + "\n";
}

std::string markdown(const Table& table) {
  if (table.rows.empty()) return "";
  const Texts head = table.head.empty() ? Texts(table.rows.front().size()) : table.head;
  std::string out = "\n" + markdown_row(head) + "|";
  for (std::size_t i = 0; i < head.size(); ++i) out += "---|";
  out += "\n";
  for (const Texts& row : table.rows) out += markdown_row(row);
  return out;
}

}  // namespace

std::string verify_report_html(const VerifyOutcome& outcome, std::string_view version) {
  const Page page = page_of(outcome, version);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n<style>\n{}</style>\n"
      "</head>\n<body>\n<h1>{}</h1>\n<p class=\"verdict {}\">{}</p>\n",
      html(page.title), kStyle, html(page.title), page.verified ? "yes" : "no", html(page.verdict));
  for (const Section& section : page.sections) {
    out += fmt::format("<section>\n<h2>{}</h2>\n", html(section.title));
    for (const std::string& paragraph : section.paragraphs)
      out += fmt::format("<p>{}</p>\n", html(paragraph));
    if (!section.points.empty()) out += "<ul>\n";
    for (const std::string& point : section.points) out += fmt::format("<li>{}</li>\n", html(point));
    if (!section.points.empty()) out += "</ul>\n";
    out += html(section.table) + "</section>\n";
  }
  return out + fmt::format("<footer>{}</footer>\n</body>\n</html>\n", html(page.made_by));
}

std::string verify_report_markdown(const VerifyOutcome& outcome, std::string_view version) {
  const Page page = page_of(outcome, version);
  std::string out = fmt::format("# {}\n\n**{}**\n", markdown(page.title), markdown(page.verdict));
  for (const Section& section : page.sections) {
    out += fmt::format("\n## {}\n", markdown(section.title));
    for (const std::string& paragraph : section.paragraphs) out += fmt::format("\n{}\n", markdown(paragraph));
    if (!section.points.empty()) out += "\n";
    for (const std::string& point : section.points) out += fmt::format("- {}\n", markdown(point));
    out += markdown(section.table);
  }
  return out + fmt::format("\n{}\n", markdown(page.made_by));
}

}  // namespace messina::console

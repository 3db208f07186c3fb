#include "console/progress_text.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "console/line_parts.h"
#include "console/live_text.h"
#include "console/numbers.h"
#include "console/verify_text.h"

namespace messina::console {
namespace {

bool moves_data(const jobs::Progress& progress) {
  return progress.phase == "copying" || progress.phase == "paused" || progress.phase == "finishing" ||
         progress.phase == "done";
}

/// What the copy did is history: neither its speed nor what held it is told any more.
void add_followers_figures(const jobs::Progress& progress, std::vector<LinePart>& parts) {
  if (progress.live)
    add_following(*progress.live, parts);
  else
    parts.push_back({3, counted(progress.counts.read_items, "item")});
  if (progress.counts.rejected_items > 0)
    parts.push_back({2, grouped(progress.counts.rejected_items) + " rejected"});
  if (progress.unknown_outcomes > 0)
    parts.push_back({7, grouped(progress.unknown_outcomes) + " to send again"});
  if (!progress.holder_detail.empty()) parts.push_back({5, "trouble: " + progress.holder_detail});
}

std::vector<LinePart> parts_of(const jobs::Progress& progress) {
  std::vector<LinePart> parts;
  parts.push_back({0, progress.job});
  if (progress.phase != "copying")
    parts.push_back({1, progress.phase.empty() ? "preparing" : progress.phase});
  if (progress.paused && progress.phase != "paused") parts.push_back({1, "paused"});
  if (progress.live) add_live_alarms(*progress.live, parts);
  if (progress.verify && (progress.verify->running || !progress.live))
    parts.push_back({1, verify_progress_text(*progress.verify)});
  if (progress.job == "verify") return parts;
  if (follows(progress)) {
    add_followers_figures(progress, parts);
    return parts;
  }
  if (!moves_data(progress) && progress.counts.read_items == 0) return parts;
  parts.push_back({0, percent(progress.share_done)});
  add_volume_and_speed(progress, parts);
  if (progress.unknown_outcomes > 0)
    parts.push_back({7, grouped(progress.unknown_outcomes) + " to send again"});
  if (!progress.holder.empty() && progress.holder != "nothing") {
    std::string holder = "held by " + progress.holder;
    if (!progress.holder_detail.empty()) holder += " in " + progress.holder_detail;
    parts.push_back({4, std::move(holder)});
  }
  if (progress.live) add_live_speed(*progress.live, parts);
  return parts;
}

std::string joined(const std::vector<LinePart>& parts) {
  std::string line;
  for (const LinePart& part : parts) {
    if (!line.empty()) line += "  ";
    line += part.text;
  }
  return line;
}

std::string cut(const std::string& text, std::size_t most_columns) {
  std::string out;
  std::size_t used = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t next = at + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0) == 0x80) ++next;
    if (++used > most_columns) break;
    out += text.substr(at, next - at);
    at = next;
  }
  return out;
}

}  // namespace

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string one_line(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out[i]);
    if (byte < 0x20 || byte == 0x7F) out[i] = ' ';
    // U+0080 to U+009F are control characters too.
    if (byte == 0xC2 && i + 1 < out.size() && static_cast<unsigned char>(out[i + 1]) < 0xA0)
      out[i] = out[i + 1] = ' ';
  }
  return out;
}

std::string fitted_line(std::vector<LinePart> parts, std::size_t width) {
  const std::size_t room = width > 1 ? width - 1 : 1;
  std::string line = one_line(joined(parts));
  while (columns(line) > room && parts.size() > 1) {
    const auto least = std::ranges::max_element(parts, {}, &LinePart::rank);
    if (least->rank == 0) break;
    parts.erase(least);
    line = one_line(joined(parts));
  }
  return cut(line, room);
}

std::string whole_line(const std::vector<LinePart>& parts) { return one_line(joined(parts)); }

std::string terminal_line(const jobs::Progress& progress, std::size_t width) {
  return fitted_line(parts_of(progress), width);
}

std::string plain_line(const jobs::Progress& progress) { return whole_line(parts_of(progress)); }

}  // namespace messina::console

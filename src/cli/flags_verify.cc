// The flags of verify, diff and repair.
#include "cli/add_flag.h"
#include "cli/flags.h"
#include "plan/units.h"

namespace messina::cli {
namespace {

constexpr std::uint64_t kMostListed = 1'000'000;

Result<double> parse_sample(const std::string& text) {
  const auto share = plan::parse_share(text);
  if (!share) return fail(share.error());
  if (*share < 1) return *share;
  return fail(ErrorKind::usage, fmt::format("{} is everything: leave the flag out", plan::shown(text)));
}

/// "3/16": the fourth of sixteen.
Result<jobs::VerifyScope::Segment> parse_segment(const std::string& text) {
  const std::size_t slash = text.find('/');
  const auto refuse = [&text] {
    return fail(ErrorKind::usage,
                fmt::format("{} is no segment: write INDEX/TOTAL, as 0/16 to 15/16", plan::shown(text)));
  };
  if (slash == std::string::npos) return refuse();
  const auto total = plan::parse_whole(text.substr(slash + 1), 1, 1'000'000);
  if (!total) return refuse();
  const auto index = plan::parse_whole(text.substr(0, slash), 0, *total - 1);
  if (!index) return refuse();
  return jobs::VerifyScope::Segment{static_cast<std::uint32_t>(*index), static_cast<std::uint32_t>(*total)};
}

Result<state::Verdict> parse_verdict(const std::string& text) {
  const auto verdict = state::verdict_of(text);
  if (verdict && *verdict != state::Verdict::equal) return *verdict;
  return fail(ErrorKind::usage,
              fmt::format("{} is none of missing, extra, differs, unsettled, rejected and suspect",
                          plan::shown(text)));
}

}  // namespace

void add_verify_flags(CLI::App& command, Flags& flags) {
  VerifyFlags& verify = flags.verify;
  const std::string what = "What is compared";
  add_parsed(command, "--sample", verify.scope.sample, parse_sample, "SHARE",
             "of all keys, chosen by a hash of the key, as 1%")
      ->group(what);
  command.add_option("--seed", verify.scope.sample_seed, "another sample (default: 1)")
      ->type_name("N")
      ->group(what);
  add_parsed(command, "--segment", verify.scope.segment, parse_segment, "I/N",
             "one segment of the source's Scan, as 3/16; nothing is said of keys that only the target has")
      ->group(what);
  command
      .add_option("--keys", verify.keys_file,
                  "only these keys: a file of JSON lines, as {\"id\":{\"S\":\"a\"}}")
      ->type_name("FILE")
      ->group(what);
  command
      .add_flag("--exhaustive", verify.scope.exhaustive,
                "look each key of the target up in the source, instead of comparing digests")
      ->group(what);
  command
      .add_flag("--indexes", verify.scope.indexes,
                "hold the target's indexes against its items, too: for each a Scan of the target, and of it")
      ->group(what);
  add_flag(command, "--restart", flags.draft.restart, "forget the place of the last run and begin again")
      ->group("State");
  command.add_flag("--cancel", verify.cancel, "end the verification that a running migration makes")
      ->group("State");
  command
      .add_flag("--as-it-is", verify.as_it_is,
                "compare although a live migration is not running: what waits looks like a difference")
      ->group("Safety");
  add_text(command, "--report", verify.report_file, "FILE",
           "write a page to sign: .html, or .md for Markdown; of many tables one each, FILE-TABLE")
      ->group("Output");
}

void add_diff_flags(CLI::App& command, Flags& flags) {
  VerifyFlags& verify = flags.verify;
  const std::string group = "What is shown";
  add_text(command, "--key", verify.key, "JSON", "one item, both sides beside each other")->group(group);
  add_parsed(command, "--only", verify.only, parse_verdict, "KIND",
             "missing, extra, differs, unsettled or rejected")
      ->group(group);
  add_whole(command, "--limit", verify.most, 1, kMostListed, "list so many (default: 20; all with --json)")
      ->group(group);
  command.add_flag("--groups", verify.groups, "by cause, without the keys")->group(group);
  command
      .add_flag("--redact-keys", verify.redact,
                "hashes in place of keys, and no items: for whom the data is not meant")
      ->group(group);
}

void add_repair_flags(CLI::App& command, Flags& flags) {
  VerifyFlags& verify = flags.verify;
  const std::string group = "Safety";
  command
      .add_flag("--delete-extra", verify.repair.delete_extra,
                "delete what only the target has, as far as the source says that it is absent")
      ->group(group);
  add_whole(command, "--max-deletes", verify.repair.max_deletes, 0, UINT64_MAX,
            "more deletes need a person (default: 1% of the keys)")
      ->group(group);
  command.add_flag("--dry-run", verify.dry_run, "say what would be done, and do nothing")->group(group);
}

}  // namespace messina::cli

// What is to be said of a migration before it starts: facts in, findings out. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/check_facts.h"

namespace messina::jobs {

struct Finding {
  enum class Level : std::uint8_t {
    ok,
    note,  ///< worth knowing, and what to do about it
    stop,  ///< the copy could not run, or would go wrong
  } level = Level::ok;
  std::string side;  ///< "source", "target", "move" (what will not survive it) or "machine"
  std::string id;    ///< stable, for programs: "scan", "ttl", …; unique within its side
  std::string call;  ///< the IAM action that was tried ("dynamodb:Scan"); empty: no call
  std::string text;
  std::string fix;       ///< the way out; never empty for note and stop
  bool for_all = false;  ///< of the account, the endpoint or the machine: the same for every table of a plan
};

std::string_view to_string(Finding::Level level);

/// In the order in which they are to be read: source, target, move, machine.
std::vector<Finding> judge(const CheckFacts& facts);

/// Of many tables' findings those that hold for all, once each and in their order; they are taken out of
/// `tables`.
std::vector<Finding> take_for_all(std::vector<std::vector<Finding>>& tables);

/// What the copy will make on the target.
struct Made {
  std::size_t tables = 0, indexes = 0, tags = 0;
  std::vector<std::string> lines;  ///< one each
  Made& operator+=(const Made& other);
};
Made what_is_made(const CheckFacts& facts);

// The parts of judge(), each in a file of its own.
void judge_source(const CheckFacts& facts, std::vector<Finding>& findings);
void judge_target(const CheckFacts& facts, std::vector<Finding>& findings);
void judge_move(const CheckFacts& facts, std::vector<Finding>& findings);
void judge_machine(const CheckFacts& facts, std::vector<Finding>& findings);

/// What the parts have in common.
class FindingWriter {
 public:
  enum class Scope : bool { table, for_all };
  /// `iam`: calls are named as IAM's actions; an Alternator has none.
  FindingWriter(std::string side, std::vector<Finding>& findings, bool iam = true, Scope scope = Scope::table)
      : side_(std::move(side)), findings_(findings), iam_(iam), for_all_(scope == Scope::for_all) {}

  void ok(std::string id, std::string text) { add(Finding::Level::ok, std::move(id), std::move(text), {}); }
  void note(std::string id, std::string text, std::string fix) {
    add(Finding::Level::note, std::move(id), std::move(text), std::move(fix));
  }
  void stop(std::string id, std::string text, std::string fix) {
    add(Finding::Level::stop, std::move(id), std::move(text), std::move(fix));
  }
  /// A call that was tried: ok, or `level` with the error, what follows from it and the way out (`fix` where
  /// there is a better one than the error's). Returns whether it answered.
  bool call(std::string id, std::string action, const Error* error, Finding::Level level,
            std::string consequence, std::string fix = {});
  template <class T>
  bool call(std::string id, std::string action, const Asked<T>& asked, Finding::Level level,
            std::string consequence, std::string fix = {}) {
    if (!asked) return false;
    const Error* error = *asked ? nullptr : &asked->error();
    return call(std::move(id), std::move(action), error, level, std::move(consequence), std::move(fix));
  }

 private:
  void add(Finding::Level level, std::string id, std::string text, std::string fix) {
    findings_.push_back({level, side_, std::move(id), {}, std::move(text), std::move(fix), for_all_});
  }

  std::string side_;
  std::vector<Finding>& findings_;
  bool iam_;
  bool for_all_;
};

/// The server's clock against this machine's; of a cluster's nodes against each other, too.
void judge_clock(FindingWriter& out, const SideFacts& side, std::chrono::milliseconds clock_error);
/// Whom requests are signed for.
void judge_caller(FindingWriter& out, const SideFacts& side);
/// CloudWatch, which tells the pace what is free. `flag`: the one that does without.
void judge_metrics(FindingWriter& out, const SideFacts& side, std::string_view flag);
/// TLS that checks nothing, and AWS by plain HTTP.
void judge_transport(FindingWriter& out, const SideFacts& side, std::string_view side_name);

/// The first two numbers of a version ("2025.2.1", "5.2.0~rc3") are at least these; false for what is no
/// version.
bool version_at_least(std::string_view version, int major, int minor);

}  // namespace messina::jobs

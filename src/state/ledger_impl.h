// The inside of a ledger; private to src/state/ledger*.cc.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "state/ledger.h"
#include "state/sqlite.h"

namespace messina::state {

struct Ledger::Impl {
  std::filesystem::path file;
  Database db;
  Statement select_job, select_units, select_rejects, select_live;
  Statement update_unit, update_job, replace_spool, replace_live, set_history_epoch, insert_reject,
      insert_reject_key;
  Statement settle_unit, settle_reject, settle_job, update_reject;
  Statement select_reject_keys, select_rejects_of_key, forget_reject_key;

  Result<void> open(const Options& options);
  Result<void> prepare_statements();
  Result<void> store_spool(const std::optional<SpoolStamp>& stamp);
  Result<void> store_live(const LiveRecord& record);
  /// Inserts a reject; adds to `live` what it adds to the live ones.
  Result<void> store_reject(const Reject& reject, std::int64_t& live);
  /// A reject is live no more. Whether it was.
  Result<bool> settle(std::uint64_t id);
  Result<std::vector<std::uint64_t>> rejects_of(const std::string& key);

 private:
  Result<void> make_tables(int from_format, bool read_only);
  Result<void> create();
  Result<void> upgrade(bool read_only);
  Result<void> check_after_unclean_end();
};

}  // namespace messina::state

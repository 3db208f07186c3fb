// A verification's file behind the jobs' interface, on a thread of its own.
#pragma once
#include <filesystem>
#include <memory>

#include "state/call_thread.h"
#include "state/file_options.h"
#include "state/verify_ledger.h"
#include "state/verify_store.h"

namespace messina::state {

/// Is to VerifyLedger what LedgerStore is to Ledger: the same holds for threads, order and destruction. The
/// file is opened, and made, by the first call: most migrations do not verify, and none is to fail for a file
/// that it does not need.
class VerifyLedgerStore final : public VerifyStore {
 public:
  /// `folder`: the migration's, whose lock the caller holds.
  explicit VerifyLedgerStore(std::filesystem::path folder, FileOptions options = {});

  Task<Result<std::optional<VerifyState>>> load() override;
  Task<Result<void>> begin(const VerifyState& fresh) override;
  Task<Result<NoteCounts>> commit(const VerifyCommit& step) override;
  Task<Result<std::vector<KeyNote>>> notes(const NoteFilter& filter) override;
  Task<Result<std::optional<KeyNote>>> note(const std::string& key) override;
  Task<Result<std::vector<NoteGroup>>> groups() override;

 private:
  /// `call(VerifyLedger&)`, on the thread.
  template <class T, class Call>
  Task<Result<T>> run(Call call);

  const std::filesystem::path folder_;
  const FileOptions options_;
  std::unique_ptr<VerifyLedger> ledger_;  ///< the thread's; null until the first call
  CallThread thread_{"verification"};     // last: it uses the ledger
};

}  // namespace messina::state

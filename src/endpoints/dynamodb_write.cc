#include "base/log.h"
#include "endpoints/batch_write.h"
#include "endpoints/dynamodb.h"
#include "endpoints/dynamodb_table.h"

namespace messina::endpoints {
namespace {

/// Items of fewer bytes are copied together faster than the kernel collects them.
constexpr std::size_t kBytesWorthAPiece = 2048;

class TablePut final : public Writable {
 public:
  explicit TablePut(std::shared_ptr<Table> table)
      : table_(std::move(table)), body_(table_->name.value, !table_->alternator) {}

  WriteCaps caps() const override;
  Task<WriteOutcome> put(std::span<const std::string_view> records) override { return send(records); }
  Task<WriteOutcome> write(std::span<const WriteRequest> requests) override { return send(requests); }

 private:
  template <class Record>
  Task<WriteOutcome> send(std::span<const Record> records);
  bool goes_in_pieces(std::span<const std::string_view> records) const;
  /// What an answer of status 200 means. `records` hold the keys of what was asked for.
  Task<void> judge(std::string_view answer, std::vector<std::string_view> records, WriteOutcome& outcome);
  void note_refusal(const Error& error);

  std::shared_ptr<Table> table_;
  BatchWriteBody body_;
};

WriteCaps TablePut::caps() const {
  WriteCaps caps;
  caps.max_items = table_->max_batch_items->load(std::memory_order_relaxed);
  caps.max_bytes = kMaxBatchBytes;
  return caps;
}

void TablePut::note_refusal(const Error& error) {
  auto& limit = *table_->max_batch_items;
  if (!aws::refuses_batch_size(error) || limit.load(std::memory_order_relaxed) <= kSafeBatchItems) return;
  if (limit.exchange(kSafeBatchItems, std::memory_order_relaxed) > kSafeBatchItems) {
    log::warn("{}: the server takes no larger batches: going on with {} items each", table_->client.display(),
              kSafeBatchItems);
  }
}

bool TablePut::goes_in_pieces(std::span<const std::string_view> records) const {
  if (!table_->client.takes_pieces()) return false;
  std::size_t bytes = 0;
  for (const auto record : records) bytes += record.size();
  return bytes >= kBytesWorthAPiece * records.size();
}

std::string_view raw_of(std::string_view record) { return record; }
std::string_view raw_of(const WriteRequest& request) { return request.raw; }

template <class Record>
Task<WriteOutcome> TablePut::send(std::span<const Record> records) {
  WriteOutcome outcome;
  if (records.empty()) co_return outcome;
  const auto size = body_.size(records);
  // Sent all the same, it would be cut off without an answer, again and again.
  if (size > kMaxRequestBytes) {
    outcome.error =
        Error{ErrorKind::too_large, fmt::format("{}: {} items of {} bytes are over the 16 MB of one request",
                                                table_->client.display(), records.size(), size)};
    co_return outcome;
  }
  auto& slabs = table_->loop.slabs();
  Slab together;
  std::vector<std::string_view> pieces;
  net::Body body;
  if constexpr (std::is_same_v<Record,
                               std::string_view>) {  // changes lie scattered, and few of them together
    if (goes_in_pieces(records)) body_.pieces(records, pieces);
  }
  if (!pieces.empty()) {
    body = net::Body(pieces);
  } else {
    together = slabs.take(size);
    body_.build(records, together);
    body = together.view();
  }
  auto answer = co_await table_->client.call(aws::kBatchWriteItem, body);
  slabs.give_back(std::move(together));
  if (!answer) {
    note_refusal(answer.error());
    outcome.error = std::move(answer.error());
    co_return outcome;
  }
  outcome.latency = answer->latency;
  if (!says_all_written(answer->body.view())) {
    const auto text = answer->body.view();
    std::vector<std::string_view> raws;
    for (const auto& record : records) raws.push_back(raw_of(record));
    co_await judge(text, std::move(raws), outcome);
  }
  slabs.give_back(std::move(answer->body));
  co_return outcome;
}

Task<void> TablePut::judge(std::string_view text, std::vector<std::string_view> records,
                           WriteOutcome& outcome) {
  auto answer = parse_batch_write(text, table_->name.value);
  if (!answer) {
    outcome.error =
        aws::classify_damage(aws::kBatchWriteItem, answer.error().message, table_->client.display());
    co_return;
  }
  outcome.cost_wcu = answer->wcu;
  if (answer->unprocessed.empty()) co_return;
  if (!table_->key) {
    const auto description = co_await table_->describe_table();
    if (!description) {
      outcome.error = Error{ErrorKind::transient, description.error().message, description.error().code};
      co_return;
    }
  }
  auto indexes = match_by_key(answer->unprocessed, records, *table_->key);
  if (indexes) {
    outcome.unprocessed = std::move(*indexes);
    co_return;
  }
  // The server did answer, so nothing is on its way any more, and the writes may be repeated.
  outcome.error =
      Error{ErrorKind::transient,
            fmt::format("{}: the answer of BatchWriteItem cannot be used ({}): the whole batch is sent again",
                        table_->client.display(), indexes.error().message)};
}

}  // namespace

std::unique_ptr<Writable> make_writable(std::shared_ptr<Table> table) {
  return std::make_unique<TablePut>(std::move(table));
}

}  // namespace messina::endpoints

#include <fmt/format.h>

#include "model.h"

namespace messina::model {

namespace {

char key_name(int key) { return static_cast<char>('a' + key); }

std::string state_name(int version) {
  return version == 0 ? std::string("its first state") : fmt::format("the state of write {}", version);
}

std::string records(int bits) {
  std::string text;
  for (int n = 0; n < kMostWrites; ++n) {
    if (((bits >> n) & 1) != 0) text += fmt::format("{}{}", text.empty() ? "" : ", ", n + 1);
  }
  return text.empty() ? "no record" : "the records of write " + text;
}

std::string landed(const Label& label) {
  return fmt::format("{} of key {} lands on the node whose clock is {}{}", state_name(label.b),
                     key_name(label.a), (label.c & 1) != 0 ? "ahead" : "right",
                     (label.c & 2) != 0 ? ", and loses to the stamp that is there" : "");
}

}  // namespace

std::string words(const Label& label) {
  const int a = label.a, b = label.b, c = label.c;
  switch (label.act) {
    case Act::writes:
      return fmt::format("source: write {} {} key {}", c, b != 0 ? "deletes" : "puts", key_name(a));
    case Act::writes_unseen:
      return fmt::format("source: write {} {} key {}, of which another input will tell", c,
                         b != 0 ? "deletes" : "puts", key_name(a));
    case Act::hints:
      return fmt::format("spool: another input puts a mark for write {}", a);
    case Act::splits:
      return "source: shard 0 is closed, shard 2 goes on from it";
    case Act::trims:
      return fmt::format("source: the record of write {} is trimmed", a);
    case Act::begins:
      return "capture: lists the shards for a new epoch";
    case Act::stores_positions:
      return "capture: stores the positions; the epoch has begun";
    case Act::polls:
      return fmt::format("capture: a poll of shard {} brings {}{}", a, records(b),
                         c != 0 ? "; a gap is declared" : "");
    case Act::finds_trimmed:
      return fmt::format("capture: the position of shard {} is trimmed{}", a,
                         b != 0 ? "; a gap is declared" : "; it goes on from the beginning");
    case Act::marks_all:
      return "spool: every image becomes a mark";
    case Act::puts:
      return fmt::format("spool: {} of shard {} and its position are durable", records(b), a);
    case Act::lists:
      return fmt::format("capture: lists the shards{}", b != 0 ? "; a gap is declared" : "");
    case Act::asks_page:
      return fmt::format("copy: page {} is asked for", a + 1);
    case Act::reads_page:
      return fmt::format("copy: the source answers page {}, which is {}", a + 1,
                         b != 0 ? "empty" : "written");
    case Act::sends_page:
      return fmt::format("copy: page {} is written again", a + 1);
    case Act::page_lands:
      return fmt::format("target: {}; copy has its answer", landed(label));
    case Act::late_lands:
      return fmt::format("target: late, {}", landed(label));
    case Act::loses_page:
      return fmt::format("copy: the connection is cut under page {}", a + 1);
    case Act::records_page:
      return fmt::format("copy: page {} is recorded as done", a + 1);
    case Act::takes:
      return fmt::format("apply: takes key {} and sends {}{}", key_name(a), state_name(b),
                         c != 0 ? ", a delete" : "");
    case Act::asks_again:
      return fmt::format("apply: takes key {}, a mark, and asks the source for it", key_name(a));
    case Act::reads_again:
      return fmt::format("apply: the source answers for key {}: {}{}", key_name(a), state_name(b),
                         c != 0 ? ", absent" : "");
    case Act::leaves_unprocessed:
      return fmt::format("apply: the source leaves key {} unprocessed", key_name(a));
    case Act::sends:
      return fmt::format("apply: sends key {}: {}{}", key_name(a), state_name(b), c != 0 ? ", a delete" : "");
    case Act::lands:
      return fmt::format("target: {}; apply has its answer", landed(label));
    case Act::loses:
      return fmt::format("apply: the connection is cut under the write of key {}", key_name(a));
    case Act::throttles:
      return fmt::format("apply: the target throttles the write of key {}", key_name(a));
    case Act::crashes:
      return fmt::format("kill -9{}", a == 0   ? ""
                                      : a == 3 ? "; what was settled of keys a and b comes back"
                                      : a == 1 ? "; what was settled of key a comes back"
                                               : "; what was settled of key b comes back");
    case Act::starts:
      return "the next process starts";
    case Act::heals:
      return "a person ends the process, to start it with --heal";
    case Act::looks_back:
      return "backward pass: marks what only the target has; the gap is healed";
    case Act::waits:
      return "S passes";
    case Act::kCount:
      break;
  }
  return {};
}

}  // namespace messina::model

// Error answers: whatever a server or a balancer in between writes, it is judged by the rules of
// aws/classify.h.
#include "aws/classify.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  messina::aws::fuzz_classify(messina::fuzz::input(data, size));
  return 0;
}

#include "base/slab.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace messina {

void Slab::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  auto* bytes = static_cast<char*>(std::malloc(capacity + kSlabPadding));
  if (bytes == nullptr) throw std::bad_alloc();
  if (size_ > 0) std::memcpy(bytes, bytes_.get(), size_);
  std::memset(bytes + capacity, 0, kSlabPadding);
  bytes_.reset(bytes);
  capacity_ = capacity;
}

void Slab::grow(std::size_t needed) { reserve(std::max(needed, capacity_ + capacity_ / 2)); }

Slab SlabPool::take(std::size_t capacity) {
  auto best = idle_.end();
  for (auto it = idle_.begin(); it != idle_.end(); ++it) {
    if (it->capacity() < capacity || it->capacity() / 4 > std::max<std::size_t>(capacity, 4096)) continue;
    if (best == idle_.end() || it->capacity() < best->capacity()) best = it;
  }
  if (best == idle_.end()) return Slab(capacity);
  Slab slab = std::move(*best);
  idle_.erase(best);
  idle_bytes_ -= slab.capacity();
  slab.clear();
  return slab;
}

void SlabPool::give_back(Slab slab) {
  if (slab.capacity() == 0 || idle_bytes_ + slab.capacity() > max_idle_bytes_) return;
  idle_bytes_ += slab.capacity();
  idle_.push_back(std::move(slab));
}

}  // namespace messina

// A first-in, first-out queue in one circular array that doubles when it is full and never
// shrinks: once warm, it allocates nothing. One thread only. Knows nothing of coroutines.
#pragma once

#include <cassert>
#include <cstddef>
#include <memory>
#include <utility>

namespace postferry {

template <class T>
class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    clear();
    if (slots_ != nullptr) std::allocator<T>().deallocate(slots_, capacity_);
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  void push_back(T value) {
    if (size_ == capacity_) grow();
    std::construct_at(slot(size_), std::move(value));
    ++size_;
  }

  // Takes the oldest value; the ring must not be empty.
  T pop_front() {
    assert(size_ > 0);
    T* oldest = slot(0);
    T value = std::move(*oldest);
    std::destroy_at(oldest);
    first_ = (first_ + 1) & (capacity_ - 1);
    --size_;
    return value;
  }

  void clear() {
    while (size_ > 0) {
      std::destroy_at(slot(0));
      first_ = (first_ + 1) & (capacity_ - 1);
      --size_;
    }
  }

 private:
  T* slot(std::size_t index) { return slots_ + ((first_ + index) & (capacity_ - 1)); }

  void grow() {
    const std::size_t larger = capacity_ == 0 ? 8 : capacity_ * 2;
    T* slots = std::allocator<T>().allocate(larger);
    for (std::size_t i = 0; i < size_; ++i) {
      std::construct_at(slots + i, std::move(*slot(i)));
      std::destroy_at(slot(i));
    }
    if (slots_ != nullptr) std::allocator<T>().deallocate(slots_, capacity_);
    slots_ = slots;
    capacity_ = larger;
    first_ = 0;
  }

  T* slots_ = nullptr;
  std::size_t capacity_ = 0;  // A power of two, or zero.
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace postferry

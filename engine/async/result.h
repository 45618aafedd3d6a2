// The end of an operation, kept until somebody takes it: nothing yet, a value, or an exception.
// Knows nothing of coroutines.
#pragma once

#include <cassert>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace postferry {

template <class T>
class Result {
  static_assert(!std::is_reference_v<T>, "an operation yields a value or a pointer");

 public:
  bool ready() const { return value_.has_value() || error_ != nullptr; }

  template <class U>
  void set_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  void set_error(std::exception_ptr error) { error_ = std::move(error); }

  // Returns the value or throws the exception; leaves nothing behind.
  T take() {
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
    assert(value_.has_value());
    T value = std::move(*value_);
    value_.reset();
    return value;
  }

 private:
  std::optional<T> value_;
  std::exception_ptr error_;
};

template <>
class Result<void> {
 public:
  bool ready() const { return done_; }

  void set_value() { done_ = true; }
  void set_error(std::exception_ptr error) {
    done_ = true;
    error_ = std::move(error);
  }

  void take() {
    assert(done_);
    done_ = false;
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  bool done_ = false;
  std::exception_ptr error_;
};

}  // namespace postferry

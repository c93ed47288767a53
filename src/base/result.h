// What a function that can fail returns: a value or an Error. Names follow std::expected (C++23).
//
// Errc is sorted by what the caller can do about it, not by where it came from; retryable() decides
// for every retry loop in pmx. An Error says call, object and reason once, at the syscall wrapper:
//   open /var/log/api-out.log: No space left on device
// and callers add context with within("seal segment 41").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace pmx {

enum class Errc {
  kUnavailable,      // Try again later: EAGAIN, EINTR, EMFILE, connection refused.
  kNoSpace,          // Wait and keep: ENOSPC, EDQUOT, EFBIG.
  kNotFound,         // ENOENT, ESRCH.
  kExists,           // EEXIST.
  kRejected,         // Set aside: the other side will never take it.
  kInvalidArgument,  // Tell the user.
  kCorrupt,          // Recover: the bytes are not what the format says.
  kIo,               // Report: everything else the system may answer.
};

class Error {
 public:
  Error(Errc code, std::string message, int sys_errno = 0)
      : code_(code), sys_errno_(sys_errno), message_(std::move(message)) {}
  Errc code() const { return code_; }
  int sys_errno() const { return sys_errno_; }  // 0 where no system call failed.
  const std::string& message() const { return message_; }
  Error within(std::string_view context) && {
    message_ = std::string(context) + ": " + message_;
    return std::move(*this);
  }

 private:
  Errc code_;
  int sys_errno_;
  std::string message_;
};

inline bool retryable(const Error& error) {
  return error.code() == Errc::kUnavailable || error.code() == Errc::kNoSpace;
}

// From errno after a failed call: "<call> <object>: <strerror>".
Error system_error(int sys_errno, std::string_view call, std::string_view object = {});

inline Error invalid(std::string message) { return {Errc::kInvalidArgument, std::move(message)}; }
inline Error corrupt(std::string message) { return {Errc::kCorrupt, std::move(message)}; }

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T value_or(T other) && { return has_value() ? std::get<0>(std::move(state_)) : std::move(other); }
  T& operator*() & { return value(); }
  T operator*() && { return std::move(*this).value(); }  // By value: a range-for over it is safe.
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}
  bool has_value() const { return !error_; }
  explicit operator bool() const { return has_value(); }
  void value() const {}
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace pmx

// The value of a Result, or leaves the function with its error. Never nest one in another.
#define PMX_TRY(expression)                                              \
  __extension__({                                                        \
    auto pmx_result_ = (expression);                                     \
    if (!pmx_result_.has_value()) return std::move(pmx_result_).error(); \
    std::move(pmx_result_).value();                                      \
  })
// The same, adding what was being done: PMX_TRY_WITHIN("seal segment 41", writer.seal()).
#define PMX_TRY_WITHIN(context, expression)                                              \
  __extension__({                                                                        \
    auto pmx_result_ = (expression);                                                     \
    if (!pmx_result_.has_value()) return std::move(pmx_result_).error().within(context); \
    std::move(pmx_result_).value();                                                      \
  })

// Result<T> and Error: how every function in Holdfast says that it failed.
//
// A Code names the reaction it asks of the caller; there are twelve and no more. `reason` narrows
// it to a word that a protocol table may map to its own error name (for instance
// "container_not_found"). Exceptions are for bugs and start-up only.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast {

enum class Code {
  invalid_argument,     // the request is wrong; do not repeat it
  unauthenticated,      // who you are is not established
  denied,               // known, but not allowed
  not_found,            // no such thing
  conflict,             // the thing exists, or is in a state that forbids this
  precondition_failed,  // the caller's condition (ETag, time) does not hold
  too_large,            // over a limit that the message names
  unavailable,          // try again later
  timed_out,            // a deadline passed
  cancelled,            // the caller or a shutdown stopped it
  unsupported,          // well formed, but not offered
  internal,             // a bug or broken storage
};

// The code as snake_case text, for logs and JSON.
std::string_view to_string(Code code);

class Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  // `reason` must be a string literal.
  Error(Code code, std::string_view reason, std::string message)
      : code_(code), reason_(reason), message_(std::move(message)) {}

  Code code() const { return code_; }
  std::string_view reason() const { return reason_; }
  const std::string& message() const { return message_; }

  // "context: message"; code and reason stay.
  Error with_context(std::string_view context) const&;
  Error with_context(std::string_view context) &&;

 private:
  Code code_;
  std::string_view reason_;
  std::string message_;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected<Error>(Error(code, std::move(message)));
}
inline std::unexpected<Error> fail(Code code, std::string_view reason, std::string message) {
  return std::unexpected<Error>(Error(code, reason, std::move(message)));
}

// The Error of the errno value `number`: ENOENT → not_found, EACCES/EPERM → denied, EEXIST →
// conflict, ENOSPC/EDQUOT → unavailable "disk_full", EMFILE/ENOMEM → unavailable, others →
// internal. The message ends with strerror's text.
Error errno_error(int number, std::string_view what);

}  // namespace holdfast

// TRY(declaration, expression): on failure returns the error, else `declaration = value`.
// TRY_VOID(expression): the same without a value. CO_TRY and CO_TRY_VOID are for coroutines.
#define HF_CONCAT_(a, b) a##b
#define HF_CONCAT(a, b) HF_CONCAT_(a, b)
#define HF_TRY_(ret, tmp, declaration, ...)                                 \
  auto tmp = (__VA_ARGS__);                                                 \
  if (!tmp) ret std::unexpected<::holdfast::Error>(std::move(tmp).error()); \
  declaration = std::move(*tmp)
#define HF_TRY_VOID_(ret, tmp, ...) \
  if (auto tmp = (__VA_ARGS__); !tmp) ret std::unexpected<::holdfast::Error>(std::move(tmp).error())
#define TRY(declaration, ...) \
  HF_TRY_(return, HF_CONCAT(try_, __COUNTER__), declaration, __VA_ARGS__)
#define CO_TRY(declaration, ...) \
  HF_TRY_(co_return, HF_CONCAT(try_, __COUNTER__), declaration, __VA_ARGS__)
#define TRY_VOID(...) HF_TRY_VOID_(return, HF_CONCAT(try_, __COUNTER__), __VA_ARGS__)
#define CO_TRY_VOID(...) HF_TRY_VOID_(co_return, HF_CONCAT(try_, __COUNTER__), __VA_ARGS__)

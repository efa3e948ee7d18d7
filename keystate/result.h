// Result<T>: a value or an Error. Spelled like std::expected, which libstdc++ 12 has only under
// -std=c++2b, so that the swap will be mechanical; [[nodiscard]], so that no refusal is dropped.
#pragma once

#include "keystate/error.h"

#include <string>
#include <utility>
#include <variant>

namespace hallmark {

template <class E>
class Unexpected {
 public:
  explicit Unexpected(E error) : error_(std::move(error)) {}
  E& error() & { return error_; }
  E&& error() && { return std::move(error_); }

 private:
  E error_;
};

// The usual way to refuse: `return Fail(Exception::kNotFoundException, "…");`
inline Unexpected<Error> Fail(Exception exception, std::string message = {},
                              std::string detail = {}) {
  return Unexpected<Error>(Error{exception, std::move(message), std::move(detail), {}});
}

template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Unexpected<E> failure) : state_(std::in_place_index<1>, std::move(failure).error()) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // INVARIANT: reading the value of a failed Result throws std::bad_variant_access, a bug of ours.
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  E& error() & { return std::get<1>(state_); }
  const E& error() const& { return std::get<1>(state_); }
  E&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() : state_(std::in_place_index<0>) {}
  Result(Unexpected<E> failure) : state_(std::in_place_index<1>, std::move(failure).error()) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  E& error() & { return std::get<1>(state_); }
  const E& error() const& { return std::get<1>(state_); }
  E&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<std::monostate, E> state_;
};

// Success, or the Error that prevented it.
using Status = Result<void>;

}  // namespace hallmark

#define HALLMARK_CONCAT_INNER(a, b) a##b
#define HALLMARK_CONCAT(a, b) HALLMARK_CONCAT_INNER(a, b)

// Returns the failure of `expression` from the enclosing function, if it failed.
#define HALLMARK_RETURN_IF_ERROR(expression)                             \
  if (auto hallmark_status = (expression); !hallmark_status.has_value()) \
  return ::hallmark::Unexpected(std::move(hallmark_status).error())

// HALLMARK_ASSIGN_OR_RETURN(const KeyRecord key, store.Get(id));
#define HALLMARK_ASSIGN_OR_RETURN(declaration, expression)                                  \
  HALLMARK_ASSIGN_OR_RETURN_INNER(HALLMARK_CONCAT(hallmark_result_, __LINE__), declaration, \
                                  expression)
#define HALLMARK_ASSIGN_OR_RETURN_INNER(result, declaration, expression)             \
  auto result = (expression);                                                        \
  if (!result.has_value()) return ::hallmark::Unexpected(std::move(result).error()); \
  declaration = *std::move(result)

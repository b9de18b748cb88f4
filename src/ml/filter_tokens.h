// The signs and words of a filter. For filter.cc alone.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::ml {

struct Token {
  enum Kind { end, word, quoted, number, sign } kind = end;
  std::string text;  // without quotes
  char quote = 0;    // of a quoted one: ' " `
  size_t at = 0;
};

// `text` must outlive it.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  Result<Token> next();
  std::unexpected<Error> error_at(size_t at, const std::string& why) const;

 private:
  Result<std::string> quoted();
  Result<Token> number(Token token);

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace holdfast::ml

#include "ml/filter_tokens.h"

#include <cstdlib>

namespace holdfast::ml {
namespace {

bool space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool word_sign(char c) {
  return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("_.-/:").contains(c) || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

Result<Token> Lexer::next() {
  while (at_ < text_.size() && space(text_[at_])) ++at_;
  Token token;
  token.at = at_;
  if (at_ == text_.size()) return token;
  const char c = text_[at_];
  if (c == '\'' || c == '"' || c == '`') {
    token.kind = Token::quoted;
    token.quote = c;
    TRY(token.text, quoted());
    return token;
  }
  const char after = at_ + 1 < text_.size() ? text_[at_ + 1] : ' ';
  if (digit(c) || ((c == '-' || c == '+' || c == '.') && (digit(after) || after == '.')))
    return number(token);
  if (word_sign(c)) {
    token.kind = Token::word;
    while (at_ < text_.size() && word_sign(text_[at_])) token.text += text_[at_++];
    // `metrics."a b"`: the quoted rest belongs to it.
    if (token.text.ends_with('.') && at_ < text_.size() &&
        std::string_view("\"`").contains(text_[at_])) {
      TRY(const std::string rest, quoted());
      token.text += rest;
    }
    return token;
  }
  token.kind = Token::sign;
  token.text = c;
  ++at_;
  if (std::string_view("<>!").contains(c) && at_ < text_.size() && text_[at_] == '=')
    token.text += text_[at_++];
  if (!std::string_view("<>=!(),").contains(c) || token.text == "!")
    return error_at(token.at, "'" + token.text + "' is not understood");
  return token;
}

std::unexpected<Error> Lexer::error_at(size_t at, const std::string& why) const {
  return fail(Code::invalid_argument, "Invalid filter or order '" +
                                          std::string(text_.substr(0, 200)) + "': " + why +
                                          " at character " + std::to_string(at + 1));
}

Result<std::string> Lexer::quoted() {
  const size_t begun = at_;
  const char quote = text_[at_++];
  std::string out;
  for (; at_ < text_.size(); ++at_) {
    if (text_[at_] != quote) {
      out += text_[at_];
    } else if (at_ + 1 < text_.size() && text_[at_ + 1] == quote) {
      out += text_[at_++];  // twice: the sign itself
    } else {
      ++at_;
      return out;
    }
  }
  return error_at(begun, "the quote does not end");
}
Result<Token> Lexer::number(Token token) {
  const std::string rest(text_.substr(at_, 64));
  char* behind = nullptr;
  (void)std::strtod(rest.c_str(), &behind);
  const auto size = static_cast<size_t>(behind - rest.c_str());
  if (size == 0 || (at_ + size < text_.size() && word_sign(text_[at_ + size])))
    return error_at(at_, "this is no number");
  token.kind = Token::number;
  token.text = rest.substr(0, size);
  at_ += size;
  return token;
}

}  // namespace holdfast::ml

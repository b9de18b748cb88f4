#include "broker/condition.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "broker/condition_node.h"

namespace holdfast::broker {
namespace {

using NodePtr = std::shared_ptr<const Condition::Node>;
using Kind = Condition::Node::Kind;

constexpr int kDeepest = 100;

bool is_name_sign(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}
bool is_name_start(char c) {
  return is_name_sign(c) && c != '-' && c != '.' && !(c >= '0' && c <= '9');
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<NodePtr> whole() {
    TRY(NodePtr root, binary(0));
    skip();
    if (at_ != text_.size()) return wrong("not understood from here");
    return root;
  }

 private:
  std::unexpected<Error> wrong(const std::string& why) const {
    return fail(Code::invalid_argument, "column " + std::to_string(at_ + 1) + ": " + why);
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(std::string_view sign) {
    skip();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  bool take_word(std::string_view word) {
    skip();
    if (!equal_ignore_case(text_.substr(at_, word.size()), word)) return false;
    const size_t end = at_ + word.size();
    if (end < text_.size() && is_name_sign(text_[end])) return false;
    at_ = end;
    return true;
  }

  // The operator that stands here and binds with `level`; empty where none does.
  std::string operator_at(int level) {
    static const std::vector<std::vector<std::string_view>> levels = {
        {"OR"}, {"AND"},          {"<>", "!=", "="}, {"<=", ">=", "<", ">"},
        {"??"}, {"+", "-", "||"}, {"*", "/", "%"}};
    for (const std::string_view sign : levels[static_cast<size_t>(level)]) {
      const bool word = level < 2;
      skip();
      // "<" must not eat the first half of "<>".
      if (sign == "<" && text_.substr(at_).starts_with("<>")) continue;
      if (word ? take_word(sign) : take(sign)) return std::string(sign == "<>" ? "!=" : sign);
    }
    return "";
  }

  Result<NodePtr> binary(int level) {
    if (level == 7) return unary();
    TRY(NodePtr left, binary(level + 1));
    while (true) {
      const std::string sign = operator_at(level);
      if (sign.empty()) return left;
      TRY(NodePtr right, binary(level + 1));
      auto node = std::make_shared<Condition::Node>();
      node->kind = Kind::binary;
      node->name = sign;
      node->children = {std::move(left), std::move(right)};
      left = std::move(node);
      if (++depth_ > 20 * kDeepest) return wrong("too long");
    }
  }

  Result<NodePtr> unary() {
    const bool negate = take_word("NOT");
    if (!negate && !take("-")) return primary();
    if (++nested_ > kDeepest) return wrong("nested too deep");
    // NOT reaches over a comparison, as in SQL; a minus over its operand alone.
    TRY(NodePtr operand, negate ? binary(2) : unary());
    --nested_;
    auto node = std::make_shared<Condition::Node>();
    node->kind = Kind::unary;
    node->name = negate ? "NOT" : "-";
    node->children = {std::move(operand)};
    return node;
  }

  Result<NodePtr> primary() {
    skip();
    const char c = peek();
    if (c == '(') {
      ++at_;
      if (++nested_ > kDeepest) return wrong("nested too deep");
      TRY(NodePtr inner, binary(0));
      --nested_;
      if (!take(")")) return wrong("')' is missing");
      return inner;
    }
    if (c == '\'' || c == '"') return text();
    if (c >= '0' && c <= '9') return number();
    if (c == '$') return system();
    if (c == '{') return braced(Kind::property);
    if (is_name_start(c)) return word();
    return wrong(c == '\0' ? "something is missing here" : "a value or a property is wanted");
  }

  static NodePtr literal(Value value) {
    auto node = std::make_shared<Condition::Node>();
    node->value = std::move(value);
    return node;
  }

  Result<NodePtr> text() {
    const char quote = text_[at_++];
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      value += text_[at_++];
    }
    if (at_ == text_.size()) return wrong("the text has no end");
    ++at_;
    return literal(std::move(value));
  }

  Result<NodePtr> number() {
    double value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc()) return wrong("not a number");
    at_ += static_cast<size_t>(end - begin);
    if (is_name_start(peek())) return wrong("not a number");
    return literal(value);
  }

  std::string name() {
    const size_t begin = at_;
    while (is_name_sign(peek())) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  Result<NodePtr> braced(Kind kind) {
    const size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) return wrong("'}' is missing");
    auto node = std::make_shared<Condition::Node>();
    node->kind = kind;
    node->name = std::string(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return node;
  }

  Result<NodePtr> system() {
    ++at_;
    if (peek() == '{') return braced(Kind::system);
    const size_t begin = at_;
    while (is_name_start(peek()) || (peek() >= '0' && peek() <= '9')) ++at_;
    auto node = std::make_shared<Condition::Node>();
    node->name = std::string(text_.substr(begin, at_ - begin));
    if (node->name.empty()) return wrong("a name is wanted after '$'");
    node->kind = Kind::system;
    if (!equal_ignore_case(node->name, "body")) return node;
    node->kind = Kind::body;
    while (true) {
      if (peek() == '.') {
        ++at_;
        const size_t from = at_;
        while (is_name_sign(peek()) && peek() != '.') ++at_;
        if (at_ == from) return wrong("a name is wanted after '.'");
        node->steps.emplace_back(std::string(text_.substr(from, at_ - from)));
      } else if (peek() == '[') {
        const size_t end = text_.find(']', at_);
        const auto index = end == std::string_view::npos
                               ? std::nullopt
                               : parse_u64(text_.substr(at_ + 1, end - at_ - 1));
        if (!index) return wrong("an index in brackets is wanted");
        node->steps.emplace_back(static_cast<size_t>(*index));
        at_ = end + 1;
      } else {
        return node;
      }
    }
  }

  Result<NodePtr> word() {
    const size_t begin = at_;
    std::string found = name();
    if (equal_ignore_case(found, "true")) return literal(true);
    if (equal_ignore_case(found, "false")) return literal(false);
    if (equal_ignore_case(found, "null")) return literal(Null{});
    if (equal_ignore_case(found, "undefined")) return literal(Undefined{});
    auto node = std::make_shared<Condition::Node>();
    skip();
    if (peek() != '(') {
      node->kind = Kind::property;
      node->name = std::move(found);
      return node;
    }
    node->kind = Kind::call;
    node->name = lower(found);
    const auto arity = arity_of(node->name);
    if (!arity) {
      at_ = begin;
      return wrong("there is no function '" + found + "'");
    }
    ++at_;
    if (++nested_ > kDeepest) return wrong("nested too deep");
    while (!take(")")) {
      if (!node->children.empty() && !take(",")) return wrong("',' or ')' is missing");
      TRY(NodePtr argument, binary(0));
      node->children.push_back(std::move(argument));
    }
    --nested_;
    if (node->children.size() < arity->least || node->children.size() > arity->most)
      return wrong(found + " does not take " + std::to_string(node->children.size()) +
                   " arguments");
    return node;
  }

  std::string_view text_;
  size_t at_ = 0;
  int nested_ = 0, depth_ = 0;
};

}  // namespace

Result<Condition> Condition::parse(std::string_view text) {
  TRY(NodePtr root, Parser(text).whole());
  return Condition(std::move(root));
}

bool Condition::holds(const Message& message) const {
  Asked asked(message);
  const Value value = root_->evaluate(asked);
  const bool* truth = std::get_if<bool>(&value);
  return truth != nullptr && *truth;
}

}  // namespace holdfast::broker

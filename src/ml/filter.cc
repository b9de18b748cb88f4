#include "ml/filter.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/bytes.h"
#include "ml/filter_tokens.h"

namespace holdfast::ml {
namespace {

// SQLite refuses patterns over 50,000 signs, and each may become three.
constexpr size_t kText = 64 << 10, kClauses = 64, kList = 1000, kPattern = 5000;

struct Identifier {
  Field field = Field::attribute;
  const Attribute* attribute = nullptr;
  std::string key;
};

std::optional<Field> field_of(std::string_view entity) {
  if (entity == "metrics" || entity == "metric") return Field::metric;
  if (entity == "params" || entity == "param" || entity == "parameters" || entity == "parameter")
    return Field::param;
  if (entity == "tags" || entity == "tag") return Field::tag;
  if (entity == "attributes" || entity == "attribute" || entity == "attr" || entity == "run")
    return Field::attribute;
  if (entity == "datasets" || entity == "dataset") return Field::dataset;
  return std::nullopt;
}

Result<Identifier> identify(const Lexer& lexer, const Token& token, const Grammar& grammar,
                            bool ordering) {
  if (token.kind != Token::word && !(token.kind == Token::quoted && token.quote != '\''))
    return lexer.error_at(token.at, "a name like metrics.accuracy is expected");
  Identifier out;
  const size_t dot = token.text.find('.');
  out.key = token.text;
  if (dot != std::string::npos) {
    const std::string entity = token.text.substr(0, dot);
    const auto field = field_of(entity);
    const bool offered = field && (*field != Field::metric || grammar.metrics) &&
                         (*field != Field::param || grammar.params) &&
                         (*field != Field::dataset || grammar.datasets);
    if (!offered)
      return lexer.error_at(token.at, "Invalid entity type '" + entity + "'; " +
                                          std::string(grammar.things) + " have none such");
    out.field = *field;
    out.key = token.text.substr(dot + 1);
  }
  if (out.key.empty()) return lexer.error_at(token.at, "the name is empty");
  if (out.field == Field::dataset) {
    if (ordering || (out.key != "name" && out.key != "digest" && out.key != "context"))
      return lexer.error_at(
          token.at, "Invalid dataset key '" + out.key + "'; name, digest and context are known");
  }
  if (out.field != Field::attribute) return out;
  std::string known;
  for (const Attribute& attribute : grammar.attributes) {
    if (ordering ? !attribute.order : !attribute.filter) continue;
    if (attribute.name == out.key) {
      out.attribute = &attribute;
      return out;
    }
    known += (known.empty() ? "" : ", ") + std::string(attribute.name);
  }
  return lexer.error_at(token.at, "Invalid attribute key '" + out.key + "'; " + known +
                                      " are known for " + std::string(grammar.things));
}

class FilterParser {
 public:
  FilterParser(std::string_view text, const Grammar& grammar) : lexer_(text), grammar_(grammar) {}

  Result<std::vector<Clause>> parse() {
    std::vector<Clause> out;
    TRY_VOID(advance());
    if (token_.kind == Token::end) return out;
    for (;;) {
      TRY(Clause made, clause());
      out.push_back(std::move(made));
      if (token_.kind == Token::end) return out;
      if (!is_word("AND"))
        return lexer_.error_at(token_.at,
                               "Invalid clause(s) in filter string: only AND joins them");
      if (out.size() == kClauses) return lexer_.error_at(token_.at, "there are too many clauses");
      TRY_VOID(advance());
    }
  }

 private:
  Result<void> advance() {
    TRY(token_, lexer_.next());
    return {};
  }
  bool is_word(std::string_view word) const {
    return token_.kind == Token::word && equal_ignore_case(token_.text, word);
  }

  Result<Clause> clause() {
    TRY(Identifier who, identify(lexer_, token_, grammar_, false));
    Clause out;
    out.field = who.field;
    out.attribute = who.attribute;
    out.key = std::move(who.key);
    TRY_VOID(advance());
    const size_t at = token_.at;
    TRY(out.op, op());
    const bool numeric = out.field == Field::metric ||
                         (out.attribute != nullptr && out.attribute->kind == Attribute::number);
    const bool ordered =
        out.op == Op::lt || out.op == Op::le || out.op == Op::gt || out.op == Op::ge;
    const bool null = out.op == Op::is_null || out.op == Op::is_not_null;
    const bool list = out.op == Op::in || out.op == Op::not_in;
    const bool same = out.op == Op::eq || out.op == Op::ne;
    if (null && (!grammar_.nulls || (out.field != Field::tag && out.field != Field::param)))
      return lexer_.error_at(at, "IS NULL is only offered for tags and params");
    if (list && out.field != Field::dataset && (out.attribute == nullptr || !out.attribute->list))
      return lexer_.error_at(at, "a list is not offered for '" + out.key + "'");
    if (!null && !list && (numeric ? !ordered && !same : ordered))
      return lexer_.error_at(at, "this comparison is not offered for '" + out.key + "'");
    if (null) return out;
    if (list) {
      TRY_VOID(list_of(out.texts));
    } else if (numeric) {
      if (token_.kind != Token::number)
        return lexer_.error_at(token_.at, "Expected numeric value for '" + out.key + "'");
      out.number = std::strtod(token_.text.c_str(), nullptr);
      TRY_VOID(advance());
    } else {
      TRY(std::string value, text("Expected a quoted string value for '" + out.key + "'"));
      if ((out.op == Op::like || out.op == Op::ilike) && value.size() > kPattern)
        return lexer_.error_at(at, "the pattern is too long");
      out.texts.push_back(std::move(value));
    }
    return out;
  }

  Result<std::string> text(const std::string& otherwise) {
    if (token_.kind != Token::quoted || token_.quote == '`')
      return lexer_.error_at(token_.at, otherwise);
    std::string out = std::move(token_.text);
    TRY_VOID(advance());
    return out;
  }

  Result<Op> op() {
    static constexpr std::pair<std::string_view, Op> kSigns[] = {{"=", Op::eq}, {"!=", Op::ne},
                                                                 {"<", Op::lt}, {"<=", Op::le},
                                                                 {">", Op::gt}, {">=", Op::ge}};
    const size_t at = token_.at;
    if (token_.kind == Token::sign) {
      for (const auto& [sign, op] : kSigns) {
        if (token_.text != sign) continue;
        TRY_VOID(advance());
        return op;
      }
    }
    Op out = Op::like;
    bool wants_in = false, wants_null = false;
    if (is_word("LIKE")) {
      out = Op::like;
    } else if (is_word("ILIKE")) {
      out = Op::ilike;
    } else if (is_word("IN")) {
      out = Op::in;
    } else if (is_word("NOT")) {
      out = Op::not_in;
      wants_in = true;
    } else if (is_word("IS")) {
      out = Op::is_null;
      wants_null = true;
    } else {
      return lexer_.error_at(at, "Invalid comparison clause: an operator is expected");
    }
    TRY_VOID(advance());
    if (wants_null && is_word("NOT")) {
      out = Op::is_not_null;
      TRY_VOID(advance());
    }
    if (!wants_in && !wants_null) return out;
    if (!is_word(wants_in ? "IN" : "NULL"))
      return lexer_.error_at(token_.at, "Invalid comparison clause");
    TRY_VOID(advance());
    return out;
  }

  Result<void> list_of(std::vector<std::string>& out) {
    const auto sign = [this](char c) {
      return token_.kind == Token::sign && token_.text.front() == c;
    };
    if (!sign('(')) return lexer_.error_at(token_.at, "a list like ('a', 'b') is expected");
    do {
      TRY_VOID(advance());
      if (sign(')') && !out.empty()) break;  // Python writes ('a',)
      TRY(std::string value, text("the list must hold quoted strings"));
      out.push_back(std::move(value));
      if (out.size() > kList) return lexer_.error_at(token_.at, "the list is too long");
    } while (sign(','));
    if (!sign(')')) return lexer_.error_at(token_.at, "the list does not end");
    return advance();
  }

  Lexer lexer_;
  const Grammar& grammar_;
  Token token_;
};

}  // namespace

Result<std::vector<Clause>> parse_filter(std::string_view text, const Grammar& grammar) {
  if (text.size() > kText) return fail(Code::invalid_argument, "the filter is too long");
  return FilterParser(text, grammar).parse();
}

Result<std::vector<Order>> parse_order(const std::vector<std::string>& items,
                                       const Grammar& grammar) {
  std::vector<Order> out;
  for (const std::string& item : items) {
    if (item.size() > kText || out.size() == 16)
      return fail(Code::invalid_argument, "order_by is too long");
    Lexer lexer(item);
    TRY(const Token name, lexer.next());
    TRY(Identifier who, identify(lexer, name, grammar, true));
    Order order;
    order.field = who.field;
    order.attribute = who.attribute;
    order.key = std::move(who.key);
    TRY(const Token way, lexer.next());
    if (way.kind != Token::end) {
      order.descending = equal_ignore_case(way.text, "desc");
      TRY(const Token last, lexer.next());
      if (last.kind != Token::end || (!order.descending && !equal_ignore_case(way.text, "asc")))
        return lexer.error_at(way.at, "Invalid ordering key: ASC or DESC is expected");
    }
    out.push_back(std::move(order));
  }
  return out;
}

}  // namespace holdfast::ml

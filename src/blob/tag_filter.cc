#include "blob/tag_filter.h"

#include <algorithm>

#include "base/bytes.h"

namespace holdfast::blob {
namespace {

constexpr size_t kTests = 10, kBrackets = 10;

using AllOf = std::vector<TagTest>;
using AnyOf = std::vector<AllOf>;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '@';
}

bool is_lower_bound(TagTest::Compare compare) {
  return compare == TagTest::greater || compare == TagTest::at_least;
}
bool is_upper_bound(TagTest::Compare compare) {
  return compare == TagTest::less || compare == TagTest::at_most;
}

// expression := all { OR all }; all := one { AND one }; one := "(" expression ")" | test
class Parser {
 public:
  Parser(std::string_view text, TagGrammar grammar) : text_(text), grammar_(grammar) {}

  Result<AnyOf> whole() {
    TRY(AnyOf out, expression());
    skip();
    if (at_ < text_.size()) return unexpected();
    return out;
  }

 private:
  std::unexpected<Error> error(const std::string& why) const {
    return fail(Code::invalid_argument, "invalid_tag_filter",
                "Error parsing query at or near character position " + std::to_string(at_ + 1) +
                    ": " + why);
  }
  std::unexpected<Error> unexpected() const {
    if (at_ >= text_.size()) return error("unexpected end of query");
    return error("unexpected '" + std::string(text_.substr(at_, 1)) + "'");
  }
  void skip() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  bool take(std::string_view symbol) {
    skip();
    if (!text_.substr(at_).starts_with(symbol)) return false;
    at_ += symbol.size();
    return true;
  }
  bool take_word(std::string_view word) {
    skip();
    const std::string_view rest = text_.substr(at_);
    if (!equal_ignore_case(rest.substr(0, word.size()), word)) return false;
    if (rest.size() > word.size() && is_word(rest[word.size()])) return false;
    at_ += word.size();
    return true;
  }

  Result<AnyOf> expression() {
    TRY(AnyOf out, all());
    for (;;) {
      const size_t before = at_;
      if (!take_word("OR")) return out;
      if (grammar_ == TagGrammar::find) {
        at_ = before;
        skip();
        return error("OR is not offered here");
      }
      TRY(AnyOf more, all());
      out.insert(out.end(), more.begin(), more.end());
    }
  }

  Result<AnyOf> all() {
    TRY(AnyOf out, one());
    while (take_word("AND")) {
      TRY(const AnyOf more, one());
      AnyOf both;
      for (const AllOf& left : out) {
        for (const AllOf& right : more) {
          both.push_back(left);
          both.back().insert(both.back().end(), right.begin(), right.end());
        }
      }
      out = std::move(both);
    }
    return out;
  }

  Result<AnyOf> one() {
    if (take("(")) {
      if (++brackets_ > kBrackets) return error("there are too many brackets");
      TRY(AnyOf out, expression());
      if (!take(")")) return unexpected();
      return out;
    }
    TRY(TagTest test, this->test());
    return AnyOf{AllOf{std::move(test)}};
  }

  Result<TagTest> test() {
    TagTest out;
    TRY(out.key, key());
    static constexpr std::pair<std::string_view, TagTest::Compare> symbols[] = {
        {"<>", TagTest::not_equal}, {">=", TagTest::at_least}, {"<=", TagTest::at_most},
        {"=", TagTest::equal},      {">", TagTest::greater},   {"<", TagTest::less}};
    const auto* found = std::find_if(std::begin(symbols), std::end(symbols),
                                     [&](const auto& symbol) { return take(symbol.first); });
    if (found == std::end(symbols)) return unexpected();
    out.compare = found->second;
    skip();
    if (at_ >= text_.size() || text_[at_] != '\'') return unexpected();
    TRY(out.value, quoted('\''));
    if (grammar_ == TagGrammar::find) {
      if (out.compare == TagTest::not_equal) return error("<> is not offered here");
      TRY_VOID(check_range(out));
    }
    if (tests_.size() == kTests) return error("there can be at most 10 conditions");
    tests_.push_back(out);
    return out;
  }

  Result<std::string> key() {
    skip();
    if (at_ >= text_.size()) return unexpected();
    std::string out;
    if (text_[at_] == '"') {
      TRY(out, quoted('"'));
      if (out.empty()) return error("a tag's name is not empty");
      if (out.front() != '@') return out;
      return error("there is no tag " + out);
    }
    while (at_ < text_.size() && is_word(text_[at_])) out += text_[at_++];
    if (out.empty()) return unexpected();
    if (out.front() == '@' && (out != "@container" || grammar_ != TagGrammar::find))
      return error("there is no " + out + " here");
    return out;
  }

  Result<std::string> quoted(char quote) {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == quote) {
        ++at_;
        if (at_ >= text_.size() || text_[at_] != quote) return out;
      }
      out += text_[at_];
    }
    return error("a quote is not closed");
  }

  Result<void> check_range(const TagTest& added) const {
    if (added.key == "@container" && added.compare != TagTest::equal)
      return error("@container compares with = alone");
    size_t same = 0;
    for (const TagTest& other : tests_) {
      if (other.key != added.key) continue;
      const bool range = (is_lower_bound(other.compare) && is_upper_bound(added.compare)) ||
                         (is_upper_bound(other.compare) && is_lower_bound(added.compare));
      if (++same > 1 || !range)
        return error("can't have multiple conditions for a single tag unless they define a range");
    }
    return {};
  }

  std::string_view text_;
  TagGrammar grammar_;
  size_t at_ = 0, brackets_ = 0;
  std::vector<TagTest> tests_;
};

bool test_holds(const TagTest& test, const std::vector<std::pair<std::string, std::string>>& tags) {
  const auto found = std::find_if(tags.begin(), tags.end(),
                                  [&](const auto& tag) { return tag.first == test.key; });
  if (found == tags.end()) return test.compare == TagTest::not_equal;
  const int order = found->second.compare(test.value);
  switch (test.compare) {
    case TagTest::equal:
      return order == 0;
    case TagTest::not_equal:
      return order != 0;
    case TagTest::less:
      return order < 0;
    case TagTest::at_most:
      return order <= 0;
    case TagTest::greater:
      return order > 0;
    case TagTest::at_least:
      return order >= 0;
  }
  return false;
}

}  // namespace

bool TagFilter::holds(const std::vector<std::pair<std::string, std::string>>& tags) const {
  return std::any_of(any_of.begin(), any_of.end(), [&](const AllOf& tests) {
    return std::all_of(tests.begin(), tests.end(),
                       [&](const TagTest& test) { return test_holds(test, tags); });
  });
}

Result<TagFilter> parse_tag_filter(std::string_view text, TagGrammar grammar) {
  TagFilter filter;
  TRY(filter.any_of, Parser(text, grammar).whole());
  return filter;
}

}  // namespace holdfast::blob

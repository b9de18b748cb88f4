#include "cli/output.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "cli/answer.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

const std::vector<Column> kColumns{{"NAME", "name"}, {"SIZE", "size"}, {"KEY", "more.key"}};

json::value rows() {
  return json::parse(
      R"([{"name":"a","size":2048,"more":{"key":"k"}},{"name":"längste","size":1}])");
}

TEST(Output, FormsByName) {
  EXPECT_EQ(*parse_form("table"), Form::table);
  EXPECT_EQ(*parse_form("json"), Form::json);
  EXPECT_EQ(*parse_form("yaml"), Form::yaml);
  EXPECT_EQ(*parse_form("tsv"), Form::tsv);
  EXPECT_EQ(*parse_form("none"), Form::none);
}

TEST(Output, AnUnknownFormIsNamed) {
  const auto form = parse_form("xml");
  ASSERT_FALSE(form);
  EXPECT_EQ(form.error().code(), Code::invalid_argument);
  EXPECT_NE(form.error().message().find("'xml'"), std::string::npos);
}

TEST(Output, TsvHasRawSizesAndNoHeading) {
  EXPECT_EQ(render(Form::tsv, rows(), kColumns), "a\t2048\tk\nlängste\t1\t\n");
}

TEST(Output, TableColumnsStartAtTheSameSignWhateverItsBytes) {
  const std::string text = render(Form::table, rows(), {{"NAME", "name"}, {"KEY", "name"}});
  EXPECT_EQ(text, "NAME     KEY\na        a\nlängste  längste\n");
}

TEST(Output, EmptyTableSaysSo) {
  EXPECT_EQ(render(Form::table, json::array(), {{"NAME", "name"}}), "NAME\n(none)\n");
}

TEST(Output, JsonReadsBackEqual) {
  EXPECT_EQ(json::parse(render(Form::json, rows(), {})), rows());
}

TEST(Output, YamlOfNestedLists) {
  const json::value value = json::parse(R"({"a":[{"b":1,"c":[]},"x: y"],"d":{}})");
  EXPECT_EQ(render(Form::yaml, value, {}), "a:\n  - b: 1\n    c: []\n  - \"x: y\"\nd: {}\n");
}

TEST(Output, YamlKeepsEmptyLists) {
  EXPECT_EQ(render(Form::yaml, json::array(), {}), "[]\n");
  EXPECT_EQ(render(Form::yaml, json::object(), {}), "{}\n");
  EXPECT_EQ(render(Form::yaml, json::parse("[[],1,[2]]"), {}), "- []\n- 1\n- - 2\n");
  EXPECT_EQ(render(Form::yaml, json::parse(R"({"a":[{},[]]})"), {}), "a:\n  - {}\n  - []\n");
}

TEST(Output, YamlKeysThatAreNoPlainTextAreQuoted) {
  const json::value value = json::parse(R"({"a: b":1,"no":2,"7":3,"":4,"plain-key_1":5})");
  EXPECT_EQ(render(Form::yaml, value, {}),
            "\"a: b\": 1\n\"no\": 2\n\"7\": 3\n\"\": 4\nplain-key_1: 5\n");
}

TEST(Output, TsvEscapesWhatWouldEndACell) {
  const json::value row = json::parse(R"({"name":"a\tb\nc\\d\r"})");
  EXPECT_EQ(render(Form::tsv, row, {{"NAME", "name"}}), "a\\tb\\nc\\\\d\\r\n");
}

TEST(Output, TableShowsControlCharactersAsText) {
  const json::value row = json::parse(R"({"name":"\u001b[2Jx\n\u009by\u007f","kind":"ü"})");
  EXPECT_EQ(render(Form::table, row, {{"NAME", "name"}, {"KIND", "kind"}}),
            "NAME                 KIND\n\\x1b[2Jx\\n\\x9by\\x7f  ü\n");
}

TEST(Answer, FieldsOfAForeignAnswerAreErrors) {
  const json::value answer = json::parse(R"({"list":[1],"text":"a","pid":-1})");
  EXPECT_EQ(*text_of(answer, "text"), "a");
  EXPECT_EQ(list_of(answer, "list")->size(), 1u);
  for (const Code code :
       {text_of(answer, "list").error().code(), list_of(answer, "text").error().code(),
        field_of(json::value("<html>"), "a").error().code(),
        field_of(json::array(), "a").error().code(), text_of(json::value(), "a").error().code(),
        pid_of(answer).error().code()})
    EXPECT_EQ(code, Code::internal);
  EXPECT_NE(text_of(answer, "gone").error().message().find("'gone'"), std::string::npos);
}

TEST(Output, FractionsAreShortForPeopleAndWholeForPrograms) {
  const json::value row = json::parse(R"({"p50":1.4882830381393433,"half":0.5})");
  EXPECT_EQ(cell(row, "p50", true), "1.49");
  EXPECT_EQ(cell(row, "p50", false), "1.4882830381393433");
  EXPECT_EQ(cell(row, "half", false), "0.5");
}

TEST(Output, NonePrintsNothing) {
  EXPECT_EQ(render(Form::none, rows(), kColumns), "");
}

}  // namespace
}  // namespace holdfast::cli

// How results are printed: table on a terminal, JSON otherwise, or what --output says.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::cli {

enum class Form { table, json, yaml, tsv, none };
Result<Form> parse_form(const std::string& text);

// A column of a table: its heading and the field that it shows ("a.b" goes down).
struct Column {
  std::string heading, field;
};

// `rows` is an array of objects, or one object. The table and tsv forms show `columns`; json and
// yaml everything.
std::string render(Form form, const boost::json::value& rows, const std::vector<Column>& columns);

// Text from elsewhere for a terminal: control characters as \n, \t, \r and \xNN.
std::string printable(std::string_view text);

// The text of one cell: scalars as they are, sizes of fields named size or *_bytes in KiB and MiB.
std::string cell(const boost::json::value& row, const std::string& field, bool human);

}  // namespace holdfast::cli

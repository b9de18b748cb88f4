#include "ml/rows.h"

namespace holdfast::ml {
namespace {

// LIKE that tells cases apart: SQLite's own does not, its GLOB does.
std::string glob_of(std::string_view like) {
  std::string out;
  for (const char c : like) {
    if (c == '%') {
      out += '*';
    } else if (c == '_') {
      out += '?';
    } else if (c == '*' || c == '?' || c == '[') {
      out += '[';
      out += c;
      out += ']';
    } else {
      out += c;
    }
  }
  return out;
}

std::string_view sign_of(Op op) {
  switch (op) {
    case Op::ne:
      return " <> ";
    case Op::lt:
      return " < ";
    case Op::le:
      return " <= ";
    case Op::gt:
      return " > ";
    case Op::ge:
      return " >= ";
    default:
      return " = ";
  }
}

std::string value_of(const Clause& clause, const std::string& text) {
  if (clause.attribute == nullptr || clause.attribute->kind != Attribute::status) return text;
  // A status that is none equals none.
  const auto status = run_status_of(text);
  if (status) return std::to_string(static_cast<int>(*status));
  auto logged = logged_status_of(text);
  if (!logged) logged = logged_status_of("LOGGED_MODEL_" + text);  // the client's own word
  return logged ? std::to_string(static_cast<int>(*logged)) : "0";
}

void add_text_test(Sql& sql, const Clause& clause, std::string_view column) {
  const bool status = clause.attribute != nullptr && clause.attribute->kind == Attribute::status;
  sql.add(status ? "CAST(" : "").add(column).add(status ? " AS TEXT)" : "");
  if (clause.op == Op::in || clause.op == Op::not_in) {
    sql.add(clause.op == Op::in ? " IN (" : " NOT IN (");
    for (size_t i = 0; i < clause.texts.size(); ++i)
      sql.add(i == 0 ? "" : ", ").keep(value_of(clause, clause.texts[i]));
    sql.add(")");
  } else if (clause.op == Op::like) {
    sql.add(" GLOB ").keep(glob_of(clause.texts.front()));
  } else if (clause.op == Op::ilike) {
    sql.add(" LIKE ").value(std::string_view(clause.texts.front()));
  } else {
    sql.add(sign_of(clause.op)).keep(value_of(clause, clause.texts.front()));
  }
}

void add_pair_clause(Sql& sql, const Clause& clause, std::string_view table, const Tables& tables) {
  const auto is_there = [&] {
    sql.add("EXISTS (SELECT 1 FROM ").add(table).add(" x WHERE x.owner = ").add(tables.owner);
    sql.add(" AND x.key = ").value(std::string_view(clause.key));
  };
  if (clause.op == Op::is_null || clause.op == Op::is_not_null) {
    sql.add(clause.op == Op::is_null ? " AND NOT " : " AND ");
    is_there();
    sql.add(")");
    return;
  }
  const bool absent = tables.prompts && clause.key == "mlflow.prompt.is_prompt" &&
                      ((clause.op == Op::ne && clause.texts.front() == "true") ||
                       (clause.op == Op::eq && clause.texts.front() == "false"));
  sql.add(" AND (");
  if (absent) {
    sql.add("NOT ");
    is_there();
    sql.add(") OR ");
  }
  is_there();
  sql.add(" AND ");
  add_text_test(sql, clause, "x.value");
  sql.add("))");
}

}  // namespace

void add_filter(Sql& sql, const std::vector<Clause>& clauses, const Tables& tables) {
  for (const Clause& clause : clauses) {
    switch (clause.field) {
      case Field::attribute:
        sql.add(" AND ");
        if (clause.attribute->kind == Attribute::number) {
          sql.add(clause.attribute->column).add(sign_of(clause.op)).value(clause.number);
        } else {
          add_text_test(sql, clause, clause.attribute->column);
        }
        break;
      case Field::tag:
        add_pair_clause(sql, clause, tables.tags, tables);
        break;
      case Field::param:
        add_pair_clause(sql, clause, tables.params, tables);
        break;
      case Field::metric:
        sql.add(" AND EXISTS (SELECT 1 FROM ").add(tables.metrics).add(" x WHERE x.owner = ");
        sql.add(tables.owner).add(" AND x.key = ").value(std::string_view(clause.key));
        sql.add(" AND x.nan = 0 AND x.value").add(sign_of(clause.op)).value(clause.number).add(")");
        break;
      case Field::dataset:
        sql.add(" AND EXISTS (SELECT 1 FROM run_dataset x JOIN dataset d ON d.id = x.dataset ");
        sql.add("WHERE x.owner = ").add(tables.owner).add(" AND ");
        add_text_test(sql, clause,
                      clause.key == "context" ? "x.context"
                      : clause.key == "name"  ? "d.name"
                                              : "d.digest");
        sql.add(")");
        break;
    }
  }
}

void add_order_joins(Sql& sql, const std::vector<Order>& orders, const Tables& tables) {
  for (size_t i = 0; i < orders.size(); ++i) {
    if (orders[i].field == Field::attribute) continue;
    const std::string name = "o" + std::to_string(i);
    sql.add(" LEFT JOIN ")
        .add(orders[i].field == Field::metric  ? tables.latest_metrics
             : orders[i].field == Field::param ? tables.params
                                               : tables.tags)
        .add(" " + name + " ON " + name + ".owner = ")
        .add(tables.owner)
        .add(" AND " + name + ".key = ")
        .value(std::string_view(orders[i].key));
  }
}

void add_order(Sql& sql, const std::vector<Order>& orders) {
  sql.add(" ORDER BY ");
  for (size_t i = 0; i < orders.size(); ++i) {
    const std::string_view way = orders[i].descending ? " DESC, " : " ASC, ";
    const std::string name = "o" + std::to_string(i);
    // Numbers, then NaN, then those without: whatever the direction.
    if (orders[i].field == Field::metric)
      sql.add("CASE WHEN " + name + ".value IS NULL THEN 2 ELSE " + name + ".nan END, ");
    if (orders[i].field == Field::attribute) {
      // An end that is not there comes last too.
      if (orders[i].attribute->column == "r.ended")
        sql.add(orders[i].attribute->column).add(" = 0, ");
      sql.add(orders[i].attribute->column).add(way);
    } else {
      if (orders[i].field != Field::metric) sql.add(name + ".value IS NULL, ");
      sql.add(name + ".value").add(way);
    }
  }
}

}  // namespace holdfast::ml

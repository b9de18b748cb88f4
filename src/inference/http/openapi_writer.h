// What Swagger 2.0 and OpenAPI 3 say in different places, for openapi.cc alone.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <span>
#include <string>

#include "inference/http/openapi.h"

namespace holdfast::inference {

struct Refusal {
  unsigned status;
  const char* why;
};

class OpenApiWriter {
 public:
  using Object = boost::json::object;
  using Array = boost::json::array;

  // `of` must outlive it.
  OpenApiWriter(OpenApi form, const Described& of);

  bool old() const { return form_ == OpenApi::v2_0; }
  Object reference(std::string_view schema) const;
  void schema(std::string_view name, Object value) { schemas_[name] = std::move(value); }
  // Puts the example into a schema; without one the schema says so.
  void example(Object& schema, std::optional<Object> value) const;

  // `schema` is a plain one: 2.0 has its keys in the parameter itself.
  Object parameter(const char* in, const char* name, const char* description, Object schema,
                   bool required = false) const;
  Object operation(const char* id, const char* summary, Array parameters = {}) const;
  // `others`: types of bodies that are bytes.
  void body(Object& operation, std::string_view schema, const Array& others) const;
  // 200 and the failures; those of tokens too, unless it is `open`.
  Object answers(const char* description, const char* type, Object schema,
                 std::span<const Refusal> failures, bool open = false) const;
  Object bytes() const;  // the content of a type that is bytes; not of 2.0

  // The document, with the schemas, which are then gone.
  Object finish(const boost::json::string& title, std::string_view description, Object paths);

 private:
  Object response(const char* description, const char* type, Object schema) const;
  void header(Object& response, const char* name, Object schema) const;
  void fail_with(Object& out, std::span<const Refusal> failures) const;

  const OpenApi form_;
  const Described& of_;
  Object schemas_;
};

}  // namespace holdfast::inference

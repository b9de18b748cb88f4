// The Open Inference Protocol's infer bodies: JSON, and JSON with binary tensors behind it
// (binary_data extension). Plain functions; sizes are checked before memory is allocated. All
// errors are invalid_argument or too_large.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inference/repository.h"
#include "inference/stages.h"

namespace holdfast::inference {

class Regions;

struct RequestedOutput {
  std::string name;
  bool binary = false;
  uint64_t classes = 0;  // over 0: its best classes instead of the values (classification)
  // Of the local door: where it is written to, the room there, and what it took of that.
  std::string region;
  uint64_t offset = 0, room = 0, stored = 0;
};
struct InferRequest {
  std::string id;
  std::vector<TensorView> inputs;  // views into the body, or into what follows
  std::vector<Bytes> owned;
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> texts;  // an input's each
  std::vector<RequestedOutput> outputs;         // empty: all
  bool binary_output = false;                   // for outputs that do not say
  // Triton's schedule_policy extension.
  uint64_t timeout_us = 0;  // 0: none
  unsigned priority = 0;
  bool timing = false;           // whether the answer tells where its time went
  std::optional<Stages> stages;  // what it tells
};

// Bytes that it has made beside the body.
uint64_t memory_of(const InferRequest& request);

// `json_size`: Inference-Header-Content-Length; nullopt: the whole body is JSON. 0: a raw binary
// request. The body must outlive the request. Checked against the signature: names, datatypes,
// shapes, sizes. `regions`: where tensors may lie; null: nowhere but in the body.
Result<InferRequest> parse_infer(std::string_view body, std::optional<uint64_t> json_size,
                                 const Signature& signature, const Regions* regions = nullptr);

struct InferBody {
  std::string bytes;
  std::optional<uint64_t> json_size;  // set where binary tensors follow
  std::optional<size_t> tail;         // the output whose bytes are to follow `bytes`
};
// unsupported: an output that has no JSON form and is not wanted as binary data. `apart`: the last
// tensor's bytes may be left to the caller, where there are many.
Result<InferBody> write_infer(const Loaded& loaded, const InferRequest& request,
                              const std::vector<Tensor>& outputs, bool apart = false);

// Azure ML's scoring bodies: {"data":[[…]]}, {"input_data":[[…]]} or
// {"input_data":{"columns":…,"data":[[…]]}}, for the one input of a model (unsupported where it has
// more); the nesting is the shape.
Result<InferRequest> parse_rows(std::string_view body, const Signature& signature);
// One output answers as lists nested like its shape, several as an object of such. Errors as
// write_infer()'s.
Result<std::string> write_rows(const std::vector<Tensor>& outputs);

// NaN and infinities as null. Appends.
void append_element(std::string& out, const Tensor& tensor, size_t index);
// unsupported: BYTES that are not UTF-8, so that JSON cannot carry them.
Result<void> check_json_form(const Tensor& tensor);
// Quoted. Signs that are not UTF-8 become '?'.
std::string json_text(std::string_view text);

}  // namespace holdfast::inference

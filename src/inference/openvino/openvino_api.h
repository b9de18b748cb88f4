// OpenVINO's C interface, taken from a library that is opened at run time, with an owner for each
// thing that it hands out. For src/inference/openvino alone. Source: openvino/c/openvino.h of the
// PyPI wheel.
#pragma once

#include <openvino/c/openvino.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace holdfast::inference::openvino {

// One pointer for each function that we call, under its own name.
#define HOLDFAST_OPENVINO_FUNCTIONS(each)                                                          \
  each(ov_core_get_available_devices) each(ov_available_devices_free) each(ov_core_create) each(   \
      ov_core_free) each(ov_core_read_model) each(ov_model_free) each(ov_core_compile_model_props) \
      each(ov_compiled_model_free) each(ov_compiled_model_inputs_size)                             \
          each(ov_compiled_model_input_by_index) each(ov_compiled_model_outputs_size)              \
              each(ov_compiled_model_output_by_index) each(ov_compiled_model_create_infer_request) \
                  each(ov_infer_request_free) each(ov_infer_request_set_tensor) each(              \
                      ov_infer_request_infer) each(ov_infer_request_get_output_tensor_by_index)    \
                      each(ov_output_const_port_free) each(ov_port_get_any_name)                   \
                          each(ov_port_get_element_type) each(ov_port_get_partial_shape)           \
                              each(ov_partial_shape_free) each(ov_free)                            \
                                  each(ov_tensor_create_from_host_ptr) each(ov_tensor_free)        \
                                      each(ov_tensor_get_shape) each(ov_shape_free)                \
                                          each(ov_tensor_get_byte_size) each(ov_tensor_data)       \
                                              each(ov_tensor_get_element_type)                     \
                                                  each(ov_get_last_err_msg)

struct Api {
#define HOLDFAST_OPENVINO_POINTER(name) decltype(&::name) name = nullptr;
  HOLDFAST_OPENVINO_FUNCTIONS(HOLDFAST_OPENVINO_POINTER)
#undef HOLDFAST_OPENVINO_POINTER

  // Of the last call on this thread that failed, without the places in its own source.
  std::string last_error() const;
};

// Where it would be taken from; empty: nowhere.
std::string libraries();
// unavailable. Loaded once for the process, never unloaded.
Result<const Api*> api();

template <class T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

// `get` writes a pointer and returns a status.
template <class T, class Get>
Result<Owned<T>> own(const Api& api, void (*release)(T*), const Get& get) {
  T* made = nullptr;
  if (get(&made) != ov_status_e::OK) return fail(Code::invalid_argument, api.last_error());
  return Owned<T>(made, release);
}

}  // namespace holdfast::inference::openvino

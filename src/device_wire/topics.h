// The topics of the device protocol, both ways. Pure functions, any thread.
// Source: "Communicate with IoT Hub using MQTT"; the SDKs' own parsers decide the details (a
// method's rid is all that follows "?$rid="; a delivered topic begins as the client's filter does).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "device_wire/address.h"
#include "device_wire/properties.h"

namespace holdfast::device_wire {

// What devices and modules publish.
struct Telemetry {
  Address from;
  Properties properties;  // an output's name is "$.on"
};
struct TwinGet {
  std::string rid;
};
struct ReportedPatch {
  std::string rid;
};
struct MethodResponse {
  int status = 0;
  std::string rid;
};
using FromDevice = std::variant<Telemetry, TwinGet, ReportedPatch, MethodResponse>;
Result<FromDevice> parse_from_device(std::string_view topic);  // invalid_argument

std::string telemetry_topic(const Address& from, const Properties& properties);
std::string twin_get_topic(std::string_view rid);
std::string reported_patch_topic(std::string_view rid);
std::string method_response_topic(int status, std::string_view rid);

// What they receive.
struct TwinResponse {
  int status = 0;
  std::string rid;
  std::optional<uint64_t> version;  // of the reported section, after a patch
};
struct DesiredPatch {
  uint64_t version = 0;
};
struct MethodRequest {
  std::string name, rid;
};
struct CloudMessage {
  Address to;
  Properties properties;
};
struct InputMessage {
  Address to;
  std::string input;
  Properties properties;
};
using ToDevice =
    std::variant<TwinResponse, DesiredPatch, MethodRequest, CloudMessage, InputMessage>;
Result<ToDevice> parse_to_device(std::string_view topic);  // invalid_argument

std::string twin_response_topic(int status, std::string_view rid,
                                std::optional<uint64_t> version = {});
std::string desired_patch_topic(uint64_t version);
std::string method_request_topic(std::string_view name, std::string_view rid);
// `base` is the client's own filter up to where its wildcard stands: see subject_of().
std::string cloud_message_topic(std::string_view base, const Properties& properties);
std::string input_topic(std::string_view base, std::string_view input,
                        const Properties& properties);

// What a filter asks for, where `who` may have it.
struct Subject {
  enum Kind { twin_responses, desired, methods, cloud_messages, inputs } kind;
  std::string base;  // for cloud_message_topic() and input_topic(): ends with '/'
};
// nullopt: not a filter of this protocol, or another's.
std::optional<Subject> subject_of(std::string_view filter, const Address& who);

// The filters to subscribe to.
inline constexpr std::string_view kTwinResponses = "$iothub/twin/res/#";
inline constexpr std::string_view kDesiredPatches = "$iothub/twin/PATCH/properties/desired/#";
inline constexpr std::string_view kMethods = "$iothub/methods/POST/#";
std::string cloud_message_filter(std::string_view device);
std::string inputs_filter(const Address& module);

}  // namespace holdfast::device_wire

// Azure Storage's error codes as ours. Source: "Common REST API error codes", "Blob service error
// codes".
#include <pugixml.hpp>

#include "blob_client/answers.h"

namespace holdfast::blob_client {
namespace {

struct Row {
  std::string_view azure;
  Code code;
  std::string_view reason;
};

constexpr Row kRows[] = {
    {"ContainerNotFound", Code::not_found, "container_not_found"},
    {"BlobNotFound", Code::not_found, "blob_not_found"},
    {"ResourceNotFound", Code::not_found, "resource_not_found"},
    {"ContainerAlreadyExists", Code::conflict, "container_exists"},
    {"BlobAlreadyExists", Code::conflict, "blob_exists"},
    // The service clears a deleted container away first; its name is free a little later.
    {"ContainerBeingDeleted", Code::unavailable, "container_being_deleted"},
    {"ConditionNotMet", Code::precondition_failed, "condition_not_met"},
    {"InvalidBlockList", Code::invalid_argument, "invalid_block_list"},
    {"InvalidBlobOrBlock", Code::invalid_argument, "invalid_block"},
    {"InvalidRange", Code::invalid_argument, "invalid_range"},
    {"Md5Mismatch", Code::invalid_argument, "md5_mismatch"},
    {"RequestBodyTooLarge", Code::too_large, "body_too_large"},
    {"RequestEntityTooLarge", Code::too_large, "body_too_large"},
    {"AuthenticationFailed", Code::denied, "authentication_failed"},
    {"NoAuthenticationInformation", Code::unauthenticated, "missing_authorization"},
    {"CannotVerifyCopySource", Code::denied, "copy_source"},
    {"ServerBusy", Code::unavailable, "busy"},
    {"OperationTimedOut", Code::timed_out, ""},
    {"InternalError", Code::unavailable, "service_error"},
};

Code code_of(unsigned status) {
  switch (status) {
    case 304:
    case 412:
      return Code::precondition_failed;
    case 401:
      return Code::unauthenticated;
    case 403:
      return Code::denied;
    case 404:
      return Code::not_found;
    case 408:
    case 504:
      return Code::timed_out;
    case 409:
      return Code::conflict;
    case 413:
      return Code::too_large;
    case 501:
      return Code::unsupported;
    default:
      break;
  }
  if (status == 429 || status >= 500) return Code::unavailable;
  // A redirect is none of the protocol's answers.
  return status >= 400 ? Code::invalid_argument : Code::internal;
}

}  // namespace

Error error_of(unsigned status, const http::Headers& headers, std::string_view body) {
  std::string azure(headers.get_or("x-ms-error-code", "")), text;
  pugi::xml_document document;
  if (document.load_buffer(body.data(), body.size())) {
    const auto root = document.child("Error");
    if (azure.empty()) azure = root.child("Code").text().get();
    text = root.child("Message").text().get();
    if (const std::string detail = root.child("AuthenticationErrorDetail").text().get();
        !detail.empty())
      text = detail;
  }
  if (const size_t end = text.find("\nRequestId:"); end != std::string::npos) text.resize(end);
  // The answer to a HEAD has no text.
  if (text.empty() && azure == "ContainerNotFound") text = "there is no such container";
  if (text.empty() && azure == "BlobNotFound") text = "there is no such blob";
  Code code = code_of(status);
  std::string_view reason;
  for (const Row& row : kRows) {
    if (row.azure == azure) {
      code = row.code;
      reason = row.reason;
    }
  }
  std::string message = azure.empty() ? "HTTP status " + std::to_string(status) : azure;
  if (!text.empty()) message += ": " + text;
  return Error(code, reason, std::move(message));
}

}  // namespace holdfast::blob_client

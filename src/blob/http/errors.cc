// Holdfast's errors as Azure Storage's: status, code and XML body. Source: "Blob service error
// codes".
#include "base/log.h"
#include "blob/http/call.h"
#include "blob/http/xml_text.h"
#include "identity/shared_key.h"

namespace holdfast::blob {
namespace {

struct Row {
  std::string_view reason;
  unsigned status;
  std::string_view code;
};

constexpr Row kByReason[] = {
    {"container_not_found", 404, "ContainerNotFound"},
    {"blob_not_found", 404, "BlobNotFound"},
    {"container_exists", 409, "ContainerAlreadyExists"},
    {"blob_exists", 409, "BlobAlreadyExists"},
    {"condition_not_met", 412, "ConditionNotMet"},
    {"not_modified", 304, "ConditionNotMet"},
    {"unsatisfiable_condition", 400, "UnsatisfiableCondition"},
    {"multiple_conditions", 400, "MultipleConditionHeadersNotSupported"},
    {"invalid_blob_type", 409, "InvalidBlobType"},
    {"snapshots_present", 409, "SnapshotsPresent"},
    {"not_soft_deleted", 409, "BlobSnapshotNotSoftDeleted"},
    {"permanent_delete_disabled", 409, "PermanentDeleteNotEnabled"},
    {"current_version", 403, "OperationNotAllowedOnRootBlob"},
    {"copy_source_not_found", 404, "CannotVerifyCopySource"},
    {"source_denied", 403, "CannotVerifyCopySource"},
    {"source_unusable", 400, "CannotVerifyCopySource"},
    {"source_unavailable", 500, "CannotVerifyCopySource"},
    {"source_condition_not_met", 412, "SourceConditionNotMet"},
    {"no_pending_copy", 409, "NoPendingCopyOperation"},
    {"pending_copy", 409, "PendingCopyOperation"},
    {"copy_id_mismatch", 409, "CopyIdMismatch"},
    {"too_many_tags", 400, "TagsTooLarge"},
    {"empty_tag_name", 400, "EmptyTagName"},
    {"duplicate_tag_names", 400, "DuplicateTagNames"},
    {"invalid_tag", 400, "InvalidTag"},
    {"blob_sealed", 409, "BlobIsSealed"},
    {"too_many_blocks", 409, "BlockCountExceedsLimit"},
    {"append_position", 412, "AppendPositionConditionNotMet"},
    {"max_blob_size", 412, "MaxBlobSizeConditionNotMet"},
    {"sequence_number", 412, "SequenceNumberConditionNotMet"},
    {"invalid_page_range", 416, "InvalidPageRange"},
    {"blob_archived", 409, "BlobArchived"},
    {"blob_rehydrating", 409, "BlobBeingRehydrated"},
    {"tier_not_for_type", 400, "AccessTierNotSupportedForBlobType"},
    {"previous_snapshot_not_found", 409, "PreviousSnapshotNotFound"},
    {"previous_snapshot_newer", 400, "PreviousSnapshotCannotBeNewer"},
    {"blob_overwritten", 409, "BlobOverwritten"},
    {"invalid_expiry", 400, "InvalidHeaderValue"},
    {"immutable_policy", 409, "BlobImmutableDueToPolicy"},
    {"immutable_hold", 409, "BlobImmutableDueToLegalHold"},
    {"policy_locked", 409, "BlobImmutableDueToPolicy"},
    {"policy_delete_locked", 409, "ImmutabilityPolicyDeleteOnLockedPolicy"},
    {"lease_already_present", 409, "LeaseAlreadyPresent"},
    {"lease_id_mismatch", 409, "LeaseIdMismatchWithLeaseOperation"},
    {"lease_not_present", 409, "LeaseNotPresentWithLeaseOperation"},
    {"lease_breaking_no_acquire", 409, "LeaseIsBreakingAndCannotBeAcquired"},
    {"lease_breaking_no_change", 409, "LeaseIsBreakingAndCannotBeChanged"},
    {"lease_broken_no_renew", 409, "LeaseIsBrokenAndCannotBeRenewed"},
    {"lease_id_missing", 412, "LeaseIdMissing"},
    {"blob_lease_id_mismatch", 412, "LeaseIdMismatchWithBlobOperation"},
    {"container_lease_id_mismatch", 412, "LeaseIdMismatchWithContainerOperation"},
    {"blob_not_leased", 412, "LeaseNotPresentWithBlobOperation"},
    {"container_not_leased", 412, "LeaseNotPresentWithContainerOperation"},
    {"overwrite_denied", 403, "UnauthorizedBlobOverwrite"},
    {"block_list_too_long", 400, "BlockListTooLong"},
    {"invalid_block_list", 400, "InvalidBlockList"},
    {"invalid_batch", 400, "InvalidInput"},
    {"mixed_batch", 400, "AllSubRequestsMustBeOfSameType"},
    {"too_many_parts", 400, "ExceedsMaxBatchRequestCount"},
    {"cors_preflight", 403, "CorsPreflightFailure"},
    {"secondary_is_read_only", 403, "InsufficientAccountPermissions"},
    {"change_feed_is_read_only", 403, "AuthorizationFailure"},
    {"invalid_xml", 400, "InvalidXmlDocument"},
    {"invalid_header", 400, "InvalidHeaderValue"},
    {"missing_query", 400, "MissingRequiredQueryParameter"},
    {"invalid_tag_filter", 400, "InvalidQueryParameterValue"},
    {"invalid_query", 400, "InvalidQueryParameterValue"},
    {"invalid_uri", 400, "InvalidUri"},
    {"invalid_resource_name", 400, "InvalidResourceName"},
    {"invalid_metadata", 400, "InvalidMetadata"},
    {"metadata_too_large", 400, "MetadataTooLarge"},
    {"missing_header", 400, "MissingRequiredHeader"},
    {"missing_length", 411, "MissingContentLengthHeader"},
    {"md5_mismatch", 400, "Md5Mismatch"},
    {"invalid_md5", 400, "InvalidMd5"},
    {"crc64_mismatch", 400, "Crc64Mismatch"},
    {"both_checksums", 400, "BothCrc64AndMd5HeaderPresent"},
    {"invalid_range", 416, "InvalidRange"},
    {"body_too_large", 413, "RequestBodyTooLarge"},
    {"disk_full", 507, "InsufficientStorage"},
    {"invalid_token", 401, "InvalidAuthenticationInfo"},
    {"missing_authorization", 401, "NoAuthenticationInformation"},
    {"authentication_failed", 403, "AuthenticationFailed"},
    {"sas_query", 403, "AuthenticationFailed"},
    {identity::kSignatureMismatch, 403, "AuthenticationFailed"},
    {"sas_permission", 403, "AuthorizationPermissionMismatch"},
    {"sas_service", 403, "AuthorizationServiceMismatch"},
    {"sas_resource", 403, "AuthorizationResourceTypeMismatch"},
    {"sas_protocol", 403, "AuthorizationProtocolMismatch"},
    {"sas_ip", 403, "AuthorizationSourceIPMismatch"},
};

std::string_view code_of(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return "InvalidInput";
    case Code::unauthenticated:
      return "NoAuthenticationInformation";
    case Code::precondition_failed:
      return "ConditionNotMet";
    case Code::too_large:
      return "RequestBodyTooLarge";
    case Code::unavailable:
    case Code::cancelled:
      return "ServerBusy";
    case Code::timed_out:
      return "OperationTimedOut";
    case Code::unsupported:
      return "NotImplemented";
    case Code::denied:
    case Code::not_found:
    case Code::conflict:
    case Code::internal:
      break;
  }
  return "InternalError";
}

}  // namespace

http::Response xml_error(const Error& error, const http::Request& request) {
  // What the disk or the database denies or misses is no fault of the request: all that is one has
  // a reason.
  const bool below =
      error.reason().empty() && (error.code() == Code::denied || error.code() == Code::not_found ||
                                 error.code() == Code::conflict);
  const Code kind = below ? Code::internal : error.code();
  unsigned status = http::status_of(kind);
  std::string_view code = code_of(kind);
  for (const Row& row : kByReason) {
    if (row.reason == error.reason()) {
      status = row.status;
      code = row.code;
    }
  }
  const std::string when = format_rfc3339(SystemClock().now(), 7);
  const bool signature = error.reason() == "authentication_failed" ||
                         error.reason() == "sas_query" ||
                         error.reason() == identity::kSignatureMismatch;
  // Azure keeps what was signed in a detail of its own.
  std::string message =
      signature ? "Server failed to authenticate the request. Make sure the value of Authorization "
                  "header is formed correctly including the signature."
                : error.message();
  // What broke inside is for the log, not for the client.
  if (kind == Code::internal || kind == Code::unavailable) {
    log::error("blob", "a request failed", {{"request", request.id}, {"error", error.message()}});
    message =
        kind == Code::internal
            ? "The server encountered an internal error. Please retry the request."
            : "The server is currently unable to receive requests. Please retry your request.";
  }
  std::string body = "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>" + std::string(code) +
                     "</Code><Message>" + xml_escape(message) + "\nRequestId:" + request.id +
                     "\nTime:" + when + "</Message>";
  if (signature)
    body += "<AuthenticationErrorDetail>" + xml_escape(error.message()) +
            "</AuthenticationErrorDetail>";
  body += "</Error>";
  http::Response response(status, "application/xml",
                          status == 304 ? std::string() : std::move(body));
  response.header("x-ms-error-code", std::string(code)).header("x-ms-request-id", request.id);
  if (request.method == "HEAD") {
    response.body = std::string();
    response.headers.erase("Content-Type");
  }
  return response;
}

}  // namespace holdfast::blob

#include "blob/http/operations.h"

#include <algorithm>

#include "blob/http/account.h"

namespace holdfast::blob {
namespace {

constexpr Operation kOperations[] = {
    // clang-format off
    {"List Containers",           "GET",    's', "",          "list",       'l', "",  list_containers},
    {"Get Service Properties",    "GET",    's', "service",   "properties", 'r', "",  get_service_properties},
    {"Set Service Properties",    "PUT",    's', "service",   "properties", 'w', "",  set_service_properties},
    {"Get User Delegation Key",   "POST",   's', "service",   "userdelegationkey", 0, "", get_user_delegation_key},
    {"Get Blob Service Stats",    "GET",    's', "service",   "stats",      'r', "",  get_service_stats},
    {"Get Account Information",   "GET",    's', "account",   "properties", 0,   "",  get_account_information},
    {"Get Account Information",   "HEAD",   's', "account",   "properties", 0,   "",  get_account_information},
    {"Get Account Information",   "GET",    'c', "account",   "properties", 0,   "",  get_account_information},
    {"Get Account Information",   "HEAD",   'c', "account",   "properties", 0,   "",  get_account_information},
    {"Get Account Information",   "GET",    'o', "account",   "properties", 0,   "",  get_account_information},
    {"Get Account Information",   "HEAD",   'o', "account",   "properties", 0,   "",  get_account_information},
    {"Find Blobs by Tags",        "GET",    's', "",          "blobs",      'f', "",  find_blobs_by_tags},
    {"Find Blobs by Tags",        "GET",    'c', "container", "blobs",      'f', "",  find_blobs_by_tags},
    {"Blob Batch",                "POST",   's', "",          "batch",      0,   "",  batch_blobs},
    // As @azure/storage-blob asks for an account's where that is in the path.
    {"Blob Batch",                "POST",   's', "container", "batch",      0,   "",  batch_blobs},
    {"Blob Batch",                "POST",   'c', "container", "batch",      0,   "",  batch_blobs},
    {"Create Container",          "PUT",    'c', "container", "",           'c', "w", create_container},
    {"Get Container Properties",  "GET",    'c', "container", "",           'r', "l", get_container, 'c'},
    {"Get Container Properties",  "HEAD",   'c', "container", "",           'r', "l", get_container, 'c'},
    {"Get Container Metadata",    "GET",    'c', "container", "metadata",   'r', "l", get_container, 'c'},
    {"Get Container Metadata",    "HEAD",   'c', "container", "metadata",   'r', "l", get_container, 'c'},
    {"Set Container Metadata",    "PUT",    'c', "container", "metadata",   'w', "",  set_container_metadata},
    {"Get Container ACL",         "GET",    'c', "container", "acl",        0,   "",  get_container_access},
    {"Get Container ACL",         "HEAD",   'c', "container", "acl",        0,   "",  get_container_access},
    {"Set Container ACL",         "PUT",    'c', "container", "acl",        0,   "",  set_container_access},
    {"Delete Container",          "DELETE", 'c', "container", "",           'd', "",  delete_container},
    {"List Blobs",                "GET",    'c', "container", "list",       'l', "",  list_blobs, 'c'},
    {"Put Blob",                  "PUT",    'o', "",          "",           'w', "c", put_blob},
    {"Abort Copy Blob",           "PUT",    'o', "",          "copy",       'w', "",  abort_copy},
    {"Get Blob Tags",             "GET",    'o', "",          "tags",       't', "",  get_blob_tags},
    {"Set Blob Tags",             "PUT",    'o', "",          "tags",       't', "",  set_blob_tags},
    {"Set Blob Tier",             "PUT",    'o', "",          "tier",       'w', "",  set_blob_tier},
    {"Append Block",              "PUT",    'o', "",          "appendblock", 'a', "w", append_block},
    {"Append Blob Seal",          "PUT",    'o', "",          "seal",       'w', "",  seal_blob},
    {"Put Page",                  "PUT",    'o', "",          "page",       'w', "",  put_page},
    {"Get Page Ranges",           "GET",    'o', "",          "pagelist",   'r', "",  get_page_ranges, 'b'},
    {"Set Blob Expiry",           "PUT",    'o', "",          "expiry",     'w', "",  set_blob_expiry},
    {"Set Blob Immutability Policy", "PUT", 'o', "",          "immutabilityPolicies", 'i', "", set_immutability_policy},
    {"Delete Blob Immutability Policy", "DELETE", 'o', "",    "immutabilityPolicies", 'i', "", delete_immutability_policy},
    {"Set Blob Legal Hold",       "PUT",    'o', "",          "legalhold",  'i', "",  set_legal_hold},
    {"Lease Blob",                "PUT",    'o', "",          "lease",      'w', "d", lease_blob},
    {"Lease Container",           "PUT",    'c', "container", "lease",      'w', "d", lease_container},
    {"Restore Container",         "PUT",    'c', "container", "undelete",   'w', "",  restore_container},
    {"Snapshot Blob",             "PUT",    'o', "",          "snapshot",   'w', "c", snapshot_blob},
    {"Undelete Blob",             "PUT",    'o', "",          "undelete",   'w', "",  undelete_blob},
    {"Put Block",                 "PUT",    'o', "",          "block",      'w', "c", put_block},
    {"Put Block List",            "PUT",    'o', "",          "blocklist",  'w', "c", put_block_list},
    {"Get Block List",            "GET",    'o', "",          "blocklist",  'r', "",  get_block_list, 'b'},
    {"Get Blob",                  "GET",    'o', "",          "",           'r', "",  get_blob, 'b'},
    {"Get Blob Properties",       "HEAD",   'o', "",          "",           'r', "",  head_blob, 'b'},
    {"Get Blob Metadata",         "GET",    'o', "",          "metadata",   'r', "",  get_blob_metadata, 'b'},
    {"Get Blob Metadata",         "HEAD",   'o', "",          "metadata",   'r', "",  get_blob_metadata, 'b'},
    {"Set Blob Metadata",         "PUT",    'o', "",          "metadata",   'w', "",  set_blob_metadata},
    {"Set Blob Properties",       "PUT",    'o', "",          "properties", 'w', "",  set_blob_headers},
    {"Delete Blob",               "DELETE", 'o', "",          "",           'd', "",  delete_blob},
    // clang-format on
};

// So that the answer can say what is missing. '*': any level.
struct Missing {
  std::string_view method, comp;
  char level;
  std::string_view name;
};
constexpr Missing kMissing[] = {
    {"PUT", "incrementalcopy", 'o', "Incremental Copy Blob"},
    {"POST", "query", 'o', "Query Blob Contents"},
};

char level_of(const Address& address) {
  return address.container.empty() ? 's' : address.blob.empty() ? 'c' : 'o';
}

}  // namespace

std::span<const Operation> operations() {
  return kOperations;
}

bool knows_history(const Operation& operation) {
  constexpr decltype(Operation::run) those[] = {get_blob,
                                                head_blob,
                                                get_blob_metadata,
                                                delete_blob,
                                                get_blob_tags,
                                                set_blob_tags,
                                                set_blob_tier,
                                                get_block_list,
                                                get_page_ranges,
                                                set_immutability_policy,
                                                delete_immutability_policy,
                                                set_legal_hold};
  return std::find(std::begin(those), std::end(those), operation.run) != std::end(those);
}

Result<const Operation*> find_operation(const http::Request& request, const Address& address) {
  const std::string_view restype = request.query_value("restype").value_or(""),
                         comp = request.query_value("comp").value_or("");
  const char level = level_of(address);
  for (const Operation& operation : kOperations) {
    if (operation.method == request.method && operation.level == level &&
        operation.restype == restype && operation.comp == comp)
      return &operation;
  }
  for (const Missing& missing : kMissing) {
    if (missing.method == request.method && missing.comp == comp &&
        (missing.level == '*' || missing.level == level))
      return fail(Code::unsupported, std::string(missing.name) + " is not offered by this server");
  }
  return fail(Code::unsupported, request.method + " with restype='" + std::string(restype) +
                                     "' and comp='" + std::string(comp) +
                                     "' is no operation of this server");
}

}  // namespace holdfast::blob

// The operations of the Blob REST API: one table of those that are offered, one of the names of
// those that are not.
#pragma once

#include <span>

#include "blob/http/call.h"

namespace holdfast::blob {

struct Operation {
  std::string_view name;  // as the REST reference has it
  std::string_view method;
  char level;  // s service, c container, o blob
  std::string_view restype, comp;
  char permission;           // that a SAS must have; 0: any will do
  std::string_view or_else;  // letters of which one does as well
  Answer (*run)(Call&);
  // What a container's public access lets anyone do: 'b' at both levels, 'c' at the container's.
  char anyone = 0;
};

std::span<const Operation> operations();
// Whether it is said of a snapshot or a version where the query names one.
bool knows_history(const Operation& operation);
// unsupported, naming the operation.
Result<const Operation*> find_operation(const http::Request& request, const Address& address);

// reads.cc: get_blob() at once; nullopt: it would have to wait.
std::optional<Result<http::Response>> get_blob_now(Call& call);

// delegation.cc
Answer get_user_delegation_key(Call& call);
// containers.cc
Answer create_container(Call& call);
Answer get_container(Call& call);
Answer set_container_metadata(Call& call);
Answer delete_container(Call& call);
// access.cc
Answer get_container_access(Call& call);
Answer set_container_access(Call& call);
// account.cc
Answer get_account_information(Call& call);
Answer get_service_properties(Call& call);
Answer set_service_properties(Call& call);
// batch.cc
Answer batch_blobs(Call& call);
// copy.cc
Answer copy_blob(Call& call);  // Put Blob From URL too
Answer abort_copy(Call& call);
// tags.cc
Answer get_blob_tags(Call& call);
Answer set_blob_tags(Call& call);
Answer set_blob_tier(Call& call);
// finds.cc
Answer find_blobs_by_tags(Call& call);
// lists.cc
Answer list_containers(Call& call);
Answer list_blobs(Call& call);
Answer get_block_list(Call& call);
// writes.cc
Answer put_blob(Call& call);
Answer put_block(Call& call);
Answer put_block_list(Call& call);
// append.cc
Answer append_block(Call& call);
Answer seal_blob(Call& call);
// pages.cc
Answer put_page(Call& call);
Answer get_page_ranges(Call& call);
// retention.cc
Answer set_blob_expiry(Call& call);
Answer set_immutability_policy(Call& call);
Answer delete_immutability_policy(Call& call);
Answer set_legal_hold(Call& call);
// leases.cc
Answer lease_blob(Call& call);
Answer lease_container(Call& call);
// history.cc
Answer snapshot_blob(Call& call);
Answer delete_blob(Call& call);
Answer undelete_blob(Call& call);
Answer restore_container(Call& call);
// changes.cc
Answer set_blob_metadata(Call& call);
Answer set_blob_headers(Call& call);
// reads.cc
Answer get_blob(Call& call);
Answer head_blob(Call& call);
Answer get_blob_metadata(Call& call);

}  // namespace holdfast::blob

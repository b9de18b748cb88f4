// A client for a place that a user named.
#pragma once

#include <functional>

#include "cli/context.h"
#include "transfer/place.h"

namespace holdfast::cli {

struct PlaceClient {
  explicit PlaceClient(blob_client::BlobClient client_) : client(std::move(client_)) {}
  blob_client::BlobClient client;
  std::string account, container;
  std::string key;  // base64; empty where it has none
  std::string sas;

  // For each blob here the URL by which the service of `target` may read it; "" where it must not
  // be told: an account's right goes to no other service.
  std::function<std::string(const std::string& blob)> url_for(const PlaceClient& target,
                                                              WallTime now) const;
};

// A URL without a signature is opened with the account's key where it leads to the hub's storage,
// and as anybody otherwise.
Task<Result<PlaceClient>> open_place(Context& context, transfer::Place place);

}  // namespace holdfast::cli

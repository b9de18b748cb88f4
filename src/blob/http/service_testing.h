// For tests: the service over an account of its own.
#pragma once

#include <gtest/gtest.h>

#include "blob/http/service.h"
#include "blob/http/testing.h"
#include "identity/sas.h"

namespace holdfast::blob {

struct BlobService : testing::Test, TestBlobs {
  std::unique_ptr<identity::Accounts> accounts;
  identity::StorageAccount account;
  http::Router router = make_router();

  void SetUp() override {
    accounts = std::move(*identity::Accounts::open(*database, clock));
    account = *run_task(accounts->create("site1"));
    mount(router, *blobs, *accounts, clock);
  }

  struct Answer {
    unsigned status = 0;
    http::Headers headers;
    std::string body;
    std::string code() const { return std::string(headers.get_or("x-ms-error-code", "")); }
  };
  Answer handle(http::Request request) {
    http::Response response = run_task(router.handle(request));
    return {response.status, response.headers, body_of(response)};
  }
  // With the account's key.
  Answer ask(std::string method, std::string_view target, HeaderList headers = {},
             std::string body = "") {
    return handle(signed_request(std::move(method), target, std::move(headers), std::move(body)));
  }
  http::Request signed_request(std::string method, std::string_view target, HeaderList headers,
                               std::string body) {
    headers.emplace_back("x-ms-date", format_http_date(clock.now()));
    headers.emplace_back("x-ms-version", "2021-12-02");
    http::Request request = make_request(std::move(method), target, headers, std::move(body));
    request.headers.set("Authorization",
                        identity::shared_key_header(request, "site1", account.keys[0]));
    return request;
  }
  // With a signature for the blob x that permits these; "" for the whole account's.
  std::string sas(std::string permissions, std::string blob = "x") {
    identity::SasRequest wanted;
    wanted.permissions = std::move(permissions);
    wanted.expiry = clock.now() + std::chrono::hours(1);
    if (!blob.empty()) wanted.container = "c";
    wanted.blob = std::move(blob);
    return identity::make_sas("site1", account.keys[1], wanted);
  }
  Answer put(const std::string& query, std::string body) {
    return handle(make_request("PUT", "/site1/c/x?" + query, {{"x-ms-blob-type", "BlockBlob"}},
                               std::move(body)));
  }
};

}  // namespace holdfast::blob

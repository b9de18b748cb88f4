// A real blob service on a loopback port, with one account, for tests of its clients in C++.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/digest.h"
#include "blob/http/service.h"
#include "blob_client/blob_client.h"
#include "net/http/testing.h"

namespace holdfast {

struct BlobServiceTest : testing::Test {
  std::string folder;
  SystemClock clock;
  std::unique_ptr<store::Database> identity_db, storage_db;
  std::unique_ptr<identity::Accounts> accounts;
  std::unique_ptr<store::ObjectStore> objects;
  std::unique_ptr<blob::Blobs> blobs;
  http::Router router = blob::make_router();
  std::unique_ptr<http::LoopbackServer> server;
  blob_client::Endpoint endpoint;

  void SetUp() override {
    char name[] = "/tmp/blob_service_test.XXXXXX";
    folder = ::mkdtemp(name);
    identity_db = std::move(*store::open_sqlite({folder + "/identity.db", 1}));
    storage_db = std::move(*store::open_sqlite({folder + "/storage.db"}));
    accounts = std::move(*identity::Accounts::open(*identity_db, clock));
    objects = std::move(*store::open_file_objects({folder + "/content"}, *storage_db));
    blobs = std::move(*blob::Blobs::open(*storage_db, *objects, clock));
    blob::mount(router, *blobs, *accounts, clock);
    server = std::make_unique<http::LoopbackServer>(router);
    const auto account = run_task(accounts->create("site1"));
    endpoint = {server->url("/site1/"), "site1", base64(as_bytes(account->keys[0])), ""};
  }
  void TearDown() override {
    server.reset();
    blobs.reset();
    objects.reset();
    accounts.reset();
    storage_db.reset();
    identity_db.reset();
    std::filesystem::remove_all(folder);
  }
};

}  // namespace holdfast

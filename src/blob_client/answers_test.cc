#include "blob_client/answers.h"

#include <gtest/gtest.h>

namespace holdfast::blob_client {
namespace {

TEST(Answers, ErrorsAskOneReaction) {
  const auto code = [](unsigned status, std::string azure) {
    http::Headers headers;
    if (!azure.empty()) headers.set("x-ms-error-code", azure);
    return error_of(status, headers, "").code();
  };
  EXPECT_EQ(code(503, "ServerBusy"), Code::unavailable);
  EXPECT_EQ(code(500, "OperationTimedOut"), Code::timed_out);
  EXPECT_EQ(code(409, "ContainerBeingDeleted"), Code::unavailable);
  EXPECT_EQ(code(409, "LeaseAlreadyPresent"), Code::conflict);
  EXPECT_EQ(code(413, ""), Code::too_large);
  EXPECT_EQ(code(404, ""), Code::not_found);
  EXPECT_EQ(code(302, ""), Code::internal);
}

TEST(Answers, BrokenOnesAreNotUnderstood) {
  for (const char* xml : {"", "<a>", "<html/>",
                          "<EnumerationResults><Blobs><Blob><Name>x</Name>"
                          "</Blob></Blobs></EnumerationResults>"})
    EXPECT_EQ(blob_page_of(xml).error().code(), Code::internal) << xml;
  EXPECT_FALSE(
      block_list_of("<BlockList><CommittedBlocks><Block><Name>x</Name><Size>-1</Size>"
                    "</Block></CommittedBlocks></BlockList>"));
  EXPECT_FALSE(written_of(http::Headers()));
}

}  // namespace
}  // namespace holdfast::blob_client

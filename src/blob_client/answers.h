// Reads what a blob service answers: XML bodies, property headers, errors. Pure functions;
// `internal` on an answer that is not understood.
#pragma once

#include <string>
#include <vector>

#include "blob_client/blob_types.h"

namespace holdfast::blob_client {

// The Error of a status ≥ 300; `body` may be empty (HEAD).
Error error_of(unsigned status, const http::Headers& headers, std::string_view body);

Result<Written> written_of(const http::Headers& headers);
Result<BlobProperties> properties_of(const http::Headers& headers);
Result<BlobPage> blob_page_of(std::string_view xml);
Result<ContainerPage> container_page_of(std::string_view xml);
Result<BlockList> block_list_of(std::string_view xml);
// The body of Put Block List.
std::string block_list_body(const std::vector<std::string>& block_ids);

}  // namespace holdfast::blob_client

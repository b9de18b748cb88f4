// Sources of copies: blobs of this server, by their URL.
#pragma once

#include "blob/http/call.h"

namespace holdfast::blob {

// not_found "copy_source_not_found".
Task<Result<Info>> info_of_source(Call& call, BlobKey source);
// Makes the range of the blob at x-ms-copy-source the request's body. Also denied "source_denied"
// for what is of another server or may not be read; invalid_argument "invalid_header",
// "invalid_range"; precondition_failed "source_condition_not_met".
Task<Result<void>> take_source_as_body(Call& call);

}  // namespace holdfast::blob

// What other operations leave to those of page blobs.
#pragma once

#include "blob/http/call.h"

namespace holdfast::blob {

Answer put_page_blob(Call& call);  // Put Blob of the type PageBlob
// Whether Set Blob Properties is about the size or the sequence number.
bool changes_pages(const http::Request& request);
Answer set_page_properties(Call& call);

}  // namespace holdfast::blob

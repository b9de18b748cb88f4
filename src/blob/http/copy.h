// Sources of copies: blobs of this server and, where the owner allows it, of others.
#pragma once

#include "blob/http/body.h"
#include "blob/sources.h"

namespace holdfast::blob {

constexpr uint64_t kPutBlobLimit = 5000ull << 20;
constexpr uint64_t kBlockBlobLimit = 50'000 * (4000ull << 20);
// What a request says of a source, and what its own server or bytes are asked.
inline constexpr std::pair<const char*, const char*> kSourceConditions[] = {
    {"x-ms-source-if-match", "If-Match"},
    {"x-ms-source-if-none-match", "If-None-Match"},
    {"x-ms-source-if-modified-since", "If-Modified-Since"},
    {"x-ms-source-if-unmodified-since", "If-Unmodified-Since"}};
inline constexpr std::pair<const char*, const char*> kSourceSums[] = {
    {"x-ms-source-content-md5", "Content-MD5"},
    {"x-ms-source-content-crc64", "x-ms-content-crc64"}};

// The blob of this server that x-ms-copy-source names, once it is clear that the caller may read
// it; nullopt where the source is elsewhere. denied "source_denied"; invalid_argument
// "invalid_header".
Task<Result<std::optional<BlobKey>>> source_here(Call& call);
// not_found "copy_source_not_found".
Task<Result<Info>> info_of_source(Call& call, BlobKey source);
// What is asked of a source elsewhere. invalid_argument, unsupported.
Result<SourceRequest> source_elsewhere(const http::Request& request);
// Its answer, before the body. Reasons of Sources::open().
Task<Result<FetchedSource>> open_elsewhere(Call& call, SourceRequest wanted);
// What that answer says of the blob, as far as it makes sense.
void describe(const http::Headers& answer, Pairs& headers, Pairs& metadata);

// x-ms-source-range; nullopt: there is none. invalid_argument "invalid_range".
Result<std::optional<Range>> source_range_of(const http::Request& request);

// Makes `body` the request's own.
void take_as_body(http::Request& request, std::unique_ptr<ByteSource> body, uint64_t size);
// Makes the range of the blob at x-ms-copy-source the request's body. Also precondition_failed
// "source_condition_not_met"; invalid_argument "invalid_range".
Task<Result<void>> take_source_as_body(Call& call);

// The bytes at x-ms-copy-source as a block, without copying them: where they are a stored content
// of this server, and not a short one. nullopt: they are to be copied, or that will tell what is
// wrong. The block's checksums; reasons of check_sums() and share_block().
Task<Result<std::optional<Received>>> share_source(Call& call, std::string id,
                                                   Conditions conditions);

// The URL without its query, which may hold a signature.
std::string source_shown(const http::Request& request);

}  // namespace holdfast::blob

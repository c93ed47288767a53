// Archives that gzip(1) reads: members of text, then empty members whose extra fields carry the
// table and the index.
#pragma once

#include <memory>

#include "rotate/internal/archive_codec.h"

namespace pmx::rotate::internal {

std::unique_ptr<FrameEncoder> make_gzip_encoder(int level);  // 0: zlib's own default.
std::unique_ptr<FrameDecoder> make_gzip_decoder();
Result<ArchiveTable> read_gzip_table(File& file,
                                     std::uint64_t file_bytes);  // kCorrupt: it has none of ours.

}  // namespace pmx::rotate::internal

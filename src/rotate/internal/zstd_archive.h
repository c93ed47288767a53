// Archives that zstd(1) reads, in zstd's seekable format: frames, the index in a skippable frame,
// and the seek table that other tools know too.
#pragma once

#include <memory>

#include "rotate/internal/archive_codec.h"

namespace pmx::rotate::internal {

std::unique_ptr<FrameEncoder> make_zstd_encoder(int level);  // 0: zstd's own default.
std::unique_ptr<FrameDecoder> make_zstd_decoder();
Result<ArchiveTable> read_zstd_table(File& file,
                                     std::uint64_t file_bytes);  // kCorrupt: it has none of ours.

}  // namespace pmx::rotate::internal

// Bodies of requests, compressed, and back.
//
// Owns:   the codecs' contexts, about 1.5 MB once zstd or gzip was used, so that a request does not
//         pay for making them. Thread: one at a time an object.
// Errors: compressing has none (out of memory ends the process); kCorrupt and kNoSpace (more than
//         the limit) of what is decompressed, which is only ever what pmx itself had written.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ship/sink.h"

namespace pmx::ship {

class Compressor {
 public:
  Compressor();
  ~Compressor();
  // The parts one behind the other as one body. kNone: as they are. Snappy is the block format
  // (google/snappy format_description.txt), which is what Loki wants, without frames.
  std::string compress(Codec codec, std::span<const std::string_view> parts);
  std::string compress(Codec codec, std::string_view bytes) { return compress(codec, {&bytes, 1}); }
  Result<std::string> decompress(Codec codec, std::string_view bytes, std::size_t limit_bytes);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

// For what happens rarely: with contexts of their own.
std::string compress(Codec codec, std::string_view bytes);
Result<std::string> decompress(Codec codec, std::string_view bytes, std::size_t limit_bytes);

std::string_view content_encoding(Codec codec);  // "gzip", "zstd", "snappy"; "" for kNone.

}  // namespace pmx::ship

// CRC-32C (Castagnoli, RFC 3720 appendix B.4), by SSE 4.2 where the processor has it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pmx {
std::uint32_t crc32c(const void* bytes, std::size_t size_bytes, std::uint32_t seed = 0);
}

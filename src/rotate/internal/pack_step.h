// One step of a job: the oldest plain segment of a log is packed and removed.
//
// Thread:  pack.
// Errors:  the step can be taken again: what is done is seen in the directory.
#pragma once

#include <cstddef>
#include <functional>

#include "base/fs.h"
#include "base/result.h"
#include "rotate/packer.h"

namespace pmx::rotate::internal {

// False: there was nothing to pack.
Result<bool> pack_oldest(Fs& files, Fs& state, const PackJob& job,
                         const std::function<bool()>& cancelled);

// How many segments wait for it.
Result<std::size_t> unpacked_segments(Fs& files, const PackJob& job);

// Every sealed segment below `segment` goes, data before index.
Result<void> remove_below(Fs& files, Fs& state, const LogDir& dir, std::uint64_t segment);

}  // namespace pmx::rotate::internal

// A connection to one slot of an address, whichever the kernel would choose: for who has no channel
// over which one could be handed to it.
//
// While connect(2) is under way the program that steers sends what comes from the client's own port
// to that slot, and all else to `live` by chance. Over the loopback the handshake is made within
// the call; where it is not, it is given up, because what comes later may go to another slot.
//
// Thread:  any; never waits.
// Errors:  kUnavailable: not now.
#pragma once

#include <span>

#include "base/fd.h"
#include "base/result.h"

namespace pmx::supervisor {

// `listener` is any socket of the group. Afterwards steer() must be called anew: it is, with
// Balance::kSlots, where `live` is not empty.
Result<Fd> connect_to_slot(int listener, unsigned slot, std::span<const unsigned> live,
                           unsigned slots);

}  // namespace pmx::supervisor

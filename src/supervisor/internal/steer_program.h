// What the programs that choose a slot for a new connection are made of.
//
// Source:  bpf(2)'s classic instructions, linux/filter.h; socket(7), SO_ATTACH_REUSEPORT_CBPF.
#pragma once

#include <linux/filter.h>

#include <span>
#include <vector>

namespace pmx::supervisor {

inline sock_filter statement(unsigned code, unsigned value) {
  return BPF_STMT(static_cast<unsigned short>(code), value);
}
inline sock_filter jump_unless(unsigned value, unsigned char over) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, over);
}
// An offset from the IP header on: the packet itself begins behind TCP's.
inline unsigned network(unsigned offset) { return static_cast<unsigned>(SKF_NET_OFF) + offset; }

inline void pick_any(std::vector<sock_filter>& program, std::span<const unsigned> live) {
  program.push_back(
      statement(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_RANDOM)));
  program.push_back(statement(BPF_ALU | BPF_MOD | BPF_K, static_cast<unsigned>(live.size())));
  for (unsigned i = 0; i + 1 < live.size(); ++i) {
    program.push_back(jump_unless(i, 1));
    program.push_back(statement(BPF_RET | BPF_K, live[i]));
  }
  program.push_back(statement(BPF_RET | BPF_K, live.back()));
}

}  // namespace pmx::supervisor

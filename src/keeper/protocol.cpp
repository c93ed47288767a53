#include "keeper/protocol.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "base/sys.h"

namespace pmx::keeper {
namespace {

void append_number(std::string& out, std::uint32_t number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// A NUL inside would end the string early in the worker, without a word.
Result<void> append_string(std::string& out, std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    return invalid("a NUL byte in program, directory, argument or environment: " +
                   std::string(text.substr(0, text.find('\0'))));
  append_number(out, static_cast<std::uint32_t>(text.size()));
  out.append(text).push_back('\0');
  return {};
}

}  // namespace

Result<ChildTable*> map_table(int fd, bool writable) {
  struct stat info {};
  if (::fstat(fd, &info) < 0) return system_error(errno, "fstat", kChildrenName);
  // Unsealed, somebody could cut it and kill us by SIGBUS.
  if (static_cast<std::size_t>(info.st_size) != sizeof(ChildTable) ||
      (::fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0)
    return corrupt("the table of children has not the size of this version");
  void* const memory = ::mmap(nullptr, sizeof(ChildTable),
                              writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return system_error(errno, "mmap", kChildrenName);
  return static_cast<ChildTable*>(memory);
}

Result<Fd> write_order(const SpawnOrder& order) {
  const OrderHeader header{kProtocolVersion,
                           order.uid.has_value(),
                           order.gid.has_value(),
                           order.uid.value_or(0),
                           order.gid.value_or(0),
                           static_cast<std::uint32_t>(order.groups.size()),
                           static_cast<std::uint32_t>(order.arguments.size()),
                           static_cast<std::uint32_t>(order.variables.size())};
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  for (const gid_t group : order.groups) append_number(bytes, group);
  PMX_TRY(append_string(bytes, order.program));
  PMX_TRY(append_string(bytes, order.cwd));
  for (const std::string& argument : order.arguments) PMX_TRY(append_string(bytes, argument));
  for (const std::string& variable : order.variables) PMX_TRY(append_string(bytes, variable));
  if (bytes.size() > kMaxOrderBytes) return system_error(E2BIG, "spawn", order.program);
  Fd fd = PMX_TRY(sys::memfd("pmx-spawn", bytes.size()));
  PMX_TRY(sys::write_all(fd.get(), bytes));
  return fd;
}

Result<void> send(int socket, const Header& header, std::string_view name,
                  std::span<const int> fds) {
  std::array<char, kMaxMessageBytes> message;
  if (name.size() > message.size() - sizeof header)
    return invalid("a message to or from the keeper is too long");
  std::memcpy(message.data(), &header, sizeof header);
  (void)name.copy(message.data() + sizeof header, name.size());
  return sys::send_message(socket, {message.data(), sizeof header + name.size()}, fds);
}

}  // namespace pmx::keeper

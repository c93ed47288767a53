// Another version in our place: exec, so that the keeper's pid stays, its children stay its
// children, and what it holds stays open. It takes place between two daemons, when nothing waits to
// be said. What is held goes along by number, as lines of "<descriptor> <name>" in a memfd, which
// no full disk can refuse.
//
// A program that cannot be executed leaves everything as it was; one that can, and then does not
// understand what it finds, would be the end of the home's workers. Who asks for an update has made
// sure that it speaks kProtocolVersion (pmx-keeper --version).
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "base/units.h"
#include "keeper/keeper.h"

namespace pmx::keeper {

namespace {

constexpr std::size_t kMaxHeldBytes = (kMaxNamedFds + 2 * kMaxChildren) * (kMaxNameBytes + 16);

}  // namespace

void Keeper::update(std::string_view programs) {
  const std::size_t nul = programs.find('\0');
  if (nul == std::string_view::npos) return;
  successor_ =
      Successor{std::string(programs.substr(0, nul)), std::string(programs.substr(nul + 1))};
  // It ends by itself; where it does not, a kill costs nothing.
  loop_->cancel(heartbeat_timer_);
  heartbeat_timer_ = loop_->call_after(
      options_.abort_grace, [this] { (void)sys::pidfd_signal(daemon_pidfd_.get(), SIGKILL); });
}

Result<Fd> Keeper::write_held() const {
  std::string lines;
  const auto add = [&lines](int fd, const std::string& name) {
    lines += std::to_string(fd) + ' ' + name + '\n';
  };
  for (const auto& [name, fd] : named_) add(fd.get(), name);
  for (const auto& [slot, fd] : reports_)
    add(fd.get(), std::string(kReportPrefix) + std::to_string(slot));
  return sys::memfd_of("pmx-held", lines);
}

// Returns only with an error, and with everything as it was.
Error Keeper::become(const Successor& successor) {
  auto held = write_held();
  if (!held) return std::move(held).error();
  std::vector<std::string> arguments{
      successor.keeper,           "--home", options_.home, "--daemon", successor.daemon, "--held",
      std::to_string(held->get())};
  if (options_.foreground) arguments.emplace_back("--foreground");
  if (!options_.extra.empty()) arguments.emplace_back("--");
  arguments.insert(arguments.end(), options_.extra.begin(), options_.extra.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const auto inherit = [&](bool inherited) {
    (void)sys::set_close_on_exec(held->get(), !inherited);
    for (const auto& [name, fd] : named_) (void)sys::set_close_on_exec(fd.get(), !inherited);
    for (const auto& [slot, fd] : reports_) (void)sys::set_close_on_exec(fd.get(), !inherited);
  };
  inherit(true);
  // Signals that no daemon has answered for are pending again, for whoever reads them: they are
  // blocked, and stay so over the exec.
  for (int signal = 1; signal <= 64; ++signal)
    if (((signals_to_tell_ | signals_told_) >> (signal - 1) & 1U) != 0) (void)::raise(signal);
  ::execv(argv[0], argv.data());
  const int why = errno;
  inherit(false);
  return system_error(why, "execute", successor.keeper);
}

Result<void> Keeper::resume(Fd held) {
  PMX_TRY(sys::set_close_on_exec(held.get(), true));
  const std::string lines = PMX_TRY(sys::read_all(held.get(), kMaxHeldBytes));
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = lines.find('\n', at);
    const std::string_view line = std::string_view(lines).substr(at, end - at);
    const std::size_t space = line.find(' ');
    const auto fd = parse_integer(line.substr(0, space));
    if (end == std::string::npos || space == std::string_view::npos || !fd)
      return corrupt("no descriptor and name: " + std::string(line));
    PMX_TRY(take_over(static_cast<int>(*fd), line.substr(space + 1)));
    at = end + 1;
  }
  const auto memory = named_.find(kChildrenName);
  if (memory == named_.end() || !named_.contains(kLockName))
    return corrupt("no table of children or no lock");
  table_ = PMX_TRY(map_table(memory->second.get(), true));
  for (const auto& [slot, report] : reports_)
    (void)loop_->watch(report.get(), [this, slot = slot] { on_report(slot); });
  for (std::uint32_t slot = 0; slot < table_->header.slots_used; ++slot)
    if (alive(slot) && child(slot).adopted != 0) watch_adopted(slot);
  reap();  // Its signal may have been read by the program that we were.
  return {};
}

Result<void> Keeper::take_over(int number, std::string_view name) {
  PMX_TRY_WITHIN(std::string(name), sys::set_close_on_exec(number, true));
  Fd fd(number);
  if (!name.starts_with(kReportPrefix)) {
    named_.insert_or_assign(std::string(name), std::move(fd));
    return {};
  }
  const auto slot = parse_integer(name.substr(kReportPrefix.size()));
  if (!slot || *slot < 0 || *slot >= kMaxChildren) return corrupt("no slot: " + std::string(name));
  reports_.insert_or_assign(static_cast<std::uint32_t>(*slot), std::move(fd));
  return {};
}

}  // namespace pmx::keeper

#include "supervisor/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/sys.h"
#include "support/fake_clock.h"
#include "support/fault_fs.h"
#include "support/temp_dir.h"

namespace pmx::supervisor {
namespace {

using test::FaultFs;

struct Death {};  // What FaultFs::die_after() throws: the daemon is gone in the middle of a write.

// One log, its streams with real pipes and rings; the keeper's descriptors outlive restart().
class LogTest : public ::testing::Test, public rotate::RawBytes {
 protected:
  LogTest() { spec_.path = home_ / "logs/web-out.log"; }

  void stream(std::uint64_t id) {
    sys::Pipe pipe = sys::pipe().value();
    held_.push_back(
        {{id}, std::move(pipe.write_end), std::move(pipe.read_end), capture::Ring::make().value()});
    if (log_) begin(held_.back(), true);
  }
  // What a kill -9 leaves is found by the next daemon.
  void restart() {
    log_.reset();
    streams_.clear();
    auto page = rotate::IntentPage::map(intent_).value();
    log_ = std::make_unique<Log>(spec_, home_ / "state", std::move(page),
                                 rotate::SegmentWriter::World{fs_, fs_, clock_, *this, redactors_});
    for (Held& held : held_) begin(held, false);
  }
  void print(std::uint64_t id, std::string_view text) {
    for (Held& held : held_) {
      if (held.id.value != id) continue;
      ASSERT_TRUE(sys::write_all(held.write_end.get(), text));
    }
    Stream& stream = streams_.at({id});
    ASSERT_TRUE(stream.ring && stream.pipe->drain(*stream.ring));
  }
  void commit() {
    const auto committed = log_->commit();
    ASSERT_TRUE(committed) << committed.error().message();
  }
  void dies_after(std::uint64_t bytes) {
    fs_.die_after(bytes, [] { throw Death{}; });
  }
  std::vector<std::string> lines() {  // Sorted: streams of a merged log take turns.
    std::vector<std::string> all;
    std::istringstream in(text());
    for (std::string line; std::getline(in, line);) all.push_back(line);
    std::sort(all.begin(), all.end());
    return all;
  }
  std::string sealed_text() {
    std::string all;
    for (const rotate::SealedFile& file : *log_->writer().dir().sealed_files(fs_))
      all += RealFs().read_file(file.path).value();
    return all;
  }
  std::string text() { return RealFs().read_file(spec_.path).value_or("(none)"); }
  std::string_view raw_bytes(StreamId id, std::uint64_t from, std::uint64_t size_bytes) override {
    return streams_.at(id).ring->bytes(from, size_bytes);
  }

  struct Held {
    StreamId id;
    Fd write_end, pipe, ring;
  };
  void begin(Held& held, bool fresh) {
    Stream& stream = streams_[held.id];
    stream.spec = {held.id, StreamKind::kOut, {spec_}};
    stream.pipe.emplace(sys::duplicate(held.pipe.get()).value());
    stream.ring_memfd = sys::duplicate(held.ring.get()).value();
    if (fresh) stream.ring = capture::Ring::open(std::move(stream.ring_memfd), 0).value();
    log_->feed(stream);
  }

  test::TempDir home_;
  FaultFs fs_;
  test::FakeClock clock_;
  LogSpec spec_;
  Fd intent_ = sys::memfd("intent", rotate::kIntentBytes).value();
  std::list<Held> held_;
  std::map<StreamId, Stream> streams_;
  redact::RedactorPool redactors_;
  std::unique_ptr<Log> log_;
};

TEST_F(LogTest, RotatesAsTheFirstThingOfALifeThatFindsHalfABatch) {
  restart();
  stream(2);
  print(2, "zero\n");
  commit();
  print(2, "one\n");
  dies_after(2);
  EXPECT_THROW((void)log_->commit(), Death);
  restart();
  const auto rotated = log_->rotate();
  ASSERT_TRUE(rotated) << rotated.error().message();
  commit();
  EXPECT_EQ(text(), "");
  EXPECT_EQ(sealed_text(), "zero\none\n");
}

// The first record of the group is in the index, the second is not: both are written again, so the
// ring must still have what the first one describes.
TEST_F(LogTest, WritesAGroupAgainWhoseRecordsWereCut) {
  spec_.merged = true;
  restart();
  stream(2);
  stream(4);
  print(2, "zero\n");
  print(4, "zero\n");
  commit();
  print(2, "one\n");
  print(4, "two\n");
  dies_after(8 + rotate::kRecordBytes + 10);
  EXPECT_THROW((void)log_->commit(), Death);
  restart();
  commit();
  EXPECT_EQ(lines(), (std::vector<std::string>{"one", "two", "zero", "zero"}));
  EXPECT_EQ(log_->counters()->captured_lines, 4U);
}

TEST_F(LogTest, RecordsNothingTwiceWhenASyncFails) {
  spec_.sync.mode = SyncPolicy::Mode::kBatch;
  restart();
  stream(2);
  print(2, "one\n");
  fs_.fail(FaultFs::Call::kSync, "", EIO, 1);
  EXPECT_FALSE(log_->commit());
  EXPECT_FALSE(streams_.at({2}).ring->empty()) << "freed before its lines were on the disk";
  print(2, "two\n");
  commit();
  EXPECT_EQ(text(), "one\ntwo\n");
  EXPECT_TRUE(streams_.at({2}).ring->empty());
}

TEST_F(LogTest, FinishesALineOfTheOldRunBeforeItTakesLinesOfTheNewOne) {
  restart();
  stream(2);
  stream(4);
  print(4, "an older line\n");  // The feeds have taken turns.
  commit();
  print(2, "half ");
  streams_.at({2}).flush_partial = true;
  commit();
  print(4, "new\n");
  print(2, "a line\n");
  commit();
  EXPECT_EQ(text(), "an older line\nhalf a line\nnew\n");
}

TEST_F(LogTest, TellsOfEachRecordOnce) {
  restart();
  stream(2);
  print(2, "one\n");
  commit();
  EXPECT_EQ(log_->take_recorded(), 4U);
  commit();
  EXPECT_EQ(log_->take_recorded(), std::nullopt);
  ASSERT_TRUE(log_->rotate());
  EXPECT_EQ(log_->take_recorded(), 0U);
  print(2, "two\n");
  ASSERT_TRUE(log_->look());
  EXPECT_EQ(log_->take_recorded(), 4U);
}

TEST_F(LogTest, HoldsHalfALineBackUntilItsSecretsCanBeKnown) {
  spec_.render.redact.builtin = true;
  restart();
  stream(2);
  print(2, "login http://u:s3c");
  streams_.at({2}).flush_partial = true;
  commit();
  EXPECT_EQ(text(), "");
  print(2, "ret@host\n");
  commit();
  EXPECT_EQ(text(), "login http://u:[redacted]@host\n");
  EXPECT_EQ(log_->counters()->redactions, 1U);
}

// Its lines are told from others only where they are looked at together.
TEST_F(LogTest, WaitsForTheEndOfAPrivateKey) {
  spec_.render.redact.builtin = true;
  restart();
  stream(2);
  print(2, "one\n-----BEGIN PRIVATE KEY-----\nMIIE\n");
  commit();
  EXPECT_EQ(text(), "one\n");
  EXPECT_EQ(log_->counters()->captured_lines, 1U);
  restart();
  commit();
  print(2, "MIIF\n");
  commit();
  EXPECT_EQ(text(), "one\n");
  print(2, "-----END PRIVATE KEY-----\ntwo\n-----BEGIN PRIVATE KEY-----\nMIIG\n");
  commit();
  const std::string known = "one\n[redacted]\n[redacted]\n[redacted]\n[redacted]\ntwo\n";
  EXPECT_EQ(text(), known);
  streams_.at({2}).pipe.reset();  // The worker is gone.
  commit();
  EXPECT_EQ(text(), known + "[redacted]\n[redacted]\n");
  EXPECT_EQ(log_->counters()->captured_lines, 8U);
}

// A piece of a line that is too long for one batch ends before the secret that would be cut.
TEST_F(LogTest, CutsNoSecretOfALineInPieces) {
  const std::string secret = R"("password":"hunter2-hunter2-hunter2",)";
  for (const bool merged : {false, true}) {
    spec_.path = home_ / (merged ? "logs/merged.log" : "logs/single.log");
    intent_ = sys::memfd("intent", rotate::kIntentBytes).value();
    spec_.merged = merged;
    spec_.render.redact.builtin = true;
    held_.clear();
    restart();
    const std::uint64_t id = merged ? 4 : 2;
    stream(id);
    std::string line;
    for (int i = 0; line.size() < 900'000; ++i)
      line += std::string(static_cast<std::size_t>(i) % 50, 'x') + secret;
    std::string printed = line;
    while (!printed.empty()) {  // As much as the pipe takes.
      const std::size_t part = std::min<std::size_t>(printed.size(), 60'000);
      print(id, printed.substr(0, part));
      commit();
      printed.erase(0, part);
    }
    print(id, "\n");
    commit();
    std::string found = text();
    EXPECT_EQ(found.find("hunter2"), std::string::npos);
    EXPECT_EQ(std::count(found.begin(), found.end(), '\n') > 1, merged);
    std::erase(found, '\n');
    std::string scratch;
    const auto redactor = redact::Redactor::create(spec_.render.redact).value();
    EXPECT_TRUE(found == redactor->redact(line, scratch));  // Too long to be shown.
  }
}

}  // namespace
}  // namespace pmx::supervisor

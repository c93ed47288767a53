#include "ship/file_transport.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <deque>

#include "support/fault_fs.h"
#include "support/temp_dir.h"

namespace pmx::ship {
namespace {

class FileTransportTest : public ::testing::Test {
 protected:
  HttpAnswer send(const std::string& body, bool run = true) {
    HttpRequest request;
    request.url = "file://" + path_;
    request.body = body;
    answer_ = {};
    answered_ = false;
    id_ = transport_.send(request, [this](HttpAnswer answer) {
      answer_ = std::move(answer);
      answered_ = true;
    });
    EXPECT_FALSE(answered_);  // Never from within send().
    if (run) run_posted();
    return answer_;
  }
  void run_posted() {
    for (; !posted_.empty(); posted_.pop_front()) posted_.front()();
  }
  std::string file() { return RealFs().read_file(path_).value(); }
  static std::string lines(int first, int count) {
    std::string text;
    for (int line = first; line < first + count; ++line)
      text += R"({"time":"2026-11-23T10:00:00.000000000Z","line":"something","seq":)" +
              std::to_string(line) + "}\n";
    return text;
  }

  test::TempDir dir_;
  std::string path_ = dir_ / "out.ndjson";
  test::FaultFs fs_;
  std::deque<std::function<void()>> posted_;
  FileTransport transport_{
      fs_, [this](std::function<void()> call) { posted_.push_back(std::move(call)); }, {}};
  HttpAnswer answer_;
  bool answered_ = false;
  HttpTransport::Id id_ = 0;
};

TEST_F(FileTransportTest, BodiesAreAppendedInOneWriteToAFileOfTheOwnersOnly) {
  EXPECT_EQ(send(lines(0, 3)).status, 200);
  const int before = fs_.calls(test::FaultFs::Call::kWrite);
  EXPECT_EQ(send(lines(3, 2)).status, 200);
  EXPECT_EQ(fs_.calls(test::FaultFs::Call::kWrite), before + 1);
  EXPECT_EQ(file(), lines(0, 5));
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(FileTransportTest, ABodyThatIsTheTailAlreadyIsNotWrittenAgain) {
  (void)send(lines(0, 3));
  (void)send(lines(3, 2));
  EXPECT_EQ(send(lines(3, 2)).status, 200);
  EXPECT_EQ(file(), lines(0, 5));
}

TEST_F(FileTransportTest, AKillAtAnyByteOfAWriteLeavesNoRepeatAndNoGap) {
  const std::string body = lines(3, 2);
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    ASSERT_TRUE(RealFs().replace_file(path_, lines(0, 3) + body.substr(0, cut)));
    EXPECT_EQ(send(body).status, 200);
    ASSERT_EQ(file(), lines(0, 5)) << "cut at byte " << cut;
  }
}

TEST_F(FileTransportTest, AFullDiskIsSaidAndTheRestIsWrittenOnceThereIsRoom) {
  (void)send(lines(0, 3));
  fs_.full_after(50);
  const HttpAnswer answer = send(lines(3, 10));
  EXPECT_EQ(answer.status, 0);
  EXPECT_NE(answer.error.find("No space left on device"), std::string::npos) << answer.error;
  EXPECT_NE(answer.error.find(path_), std::string::npos) << answer.error;
  EXPECT_EQ(file().size(), lines(0, 3).size() + 50);
  fs_.heal();
  EXPECT_EQ(send(lines(3, 10)).status, 200);
  EXPECT_EQ(file(), lines(0, 13));
}

TEST_F(FileTransportTest, ShortWritesAreFinished) {
  fs_.short_writes(40);
  EXPECT_EQ(send(lines(0, 4)).status, 200);
  EXPECT_EQ(file(), lines(0, 4));
}

TEST_F(FileTransportTest, SomebodysHalfLineSpoilsNoOther) {
  ASSERT_TRUE(RealFs().replace_file(path_, "half"));
  EXPECT_EQ(send(lines(0, 1)).status, 200);
  EXPECT_EQ(file(), "half\n" + lines(0, 1));
  EXPECT_EQ(send(lines(0, 1)).status, 200);
  EXPECT_EQ(file(), "half\n" + lines(0, 1));
}

TEST_F(FileTransportTest, AFileThatWasMovedAwayIsMadeAnew) {
  (void)send(lines(0, 1));
  ASSERT_TRUE(RealFs().rename(path_, path_ + ".1"));
  EXPECT_EQ(send(lines(1, 1)).status, 200);
  EXPECT_EQ(file(), lines(1, 1));
}

TEST_F(FileTransportTest, ErrorsAreAnswersToBeTriedAgain) {
  for (const auto call : {test::FaultFs::Call::kOpen, test::FaultFs::Call::kRead}) {
    (void)send(lines(0, 1));
    fs_.fail(call, "out.ndjson", EIO, 1);
    const HttpAnswer answer = send(lines(1, 1));
    EXPECT_EQ(answer.status, 0);
    EXPECT_NE(answer.error.find("Input/output error"), std::string::npos) << answer.error;
  }
}

TEST_F(FileTransportTest, ACancelledRequestIsNeitherWrittenNorAnswered) {
  (void)send(lines(0, 1), false);
  transport_.cancel(id_);
  transport_.cancel(4711);
  run_posted();
  EXPECT_FALSE(answered_);
  EXPECT_FALSE(RealFs().info(path_));
}

TEST_F(FileTransportTest, SyncIsDoneWhereItIsAskedFor) {
  FileTransport syncing(fs_,
                        [this](std::function<void()> call) { posted_.push_back(std::move(call)); },
                        {.sync = true});
  HttpRequest request;
  request.url = "file://" + path_;
  request.body = lines(0, 1);
  (void)syncing.send(request, [](const HttpAnswer&) {});
  run_posted();
  EXPECT_EQ(fs_.calls(test::FaultFs::Call::kSync), 1);
}

}  // namespace
}  // namespace pmx::ship

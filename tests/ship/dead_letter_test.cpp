#include "ship/dead_letter.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/base64.h"
#include "base/json.h"
#include "support/fault_fs.h"
#include "support/temp_dir.h"

namespace pmx::ship {
namespace {

using test::FaultFs;
using Names = std::vector<std::uint64_t>;

DeadLetter letter(std::uint64_t seq, std::size_t item_bytes = 20) {
  DeadLetter made;
  made.time_ns = 1'795'428'000'123'456'789;
  made.app = "api";
  made.stream = "{app=\"api\", stream=\"out\"}";
  made.status = 400;
  made.reason = "too old";
  made.store = "entry for stream '{app=\"api\"}' has timestamp too old\nsecond line";
  made.line = "caf\xc3\xa9 \"quoted\"";
  made.seq = seq;
  made.lines = 3;
  made.log = {0xABCDEF0123456789ULL};
  made.item.assign(item_bytes, static_cast<char>(seq));
  made.item += std::string_view("\0\xff\n", 3);
  made.coding = "loki/json";
  made.group = "app=api,stream=out";
  return made;
}

class DeadLettersTest : public ::testing::Test {
 protected:
  DeadLettersTest() { reopen(); }
  void reopen(std::uint64_t max_bytes = DeadLetters::kDefaultMaxBytes) {
    letters_.reset();
    auto opened = DeadLetters::open(fs_, home_.path(), {"loki-main"}, max_bytes);
    ASSERT_TRUE(opened) << opened.error().message();
    letters_ = std::move(opened).value();
  }
  Result<void> add(std::uint64_t first, std::uint64_t last, std::size_t item_bytes = 20) {
    std::vector<DeadLetter> batch;
    for (std::uint64_t seq = first; seq <= last; ++seq) batch.push_back(letter(seq, item_bytes));
    return letters_->append(batch);
  }
  // The sequence numbers that are left, read in pages of `max_bytes`.
  Names left(std::size_t max_bytes = 1U << 20U) {
    Names found;
    for (DeadLetters::Place at = 0;;) {
      const auto page = letters_->read(at, max_bytes);
      EXPECT_TRUE(page) << page.error().message();
      if (!page || page->entries.empty()) return found;
      for (const auto& entry : page->entries) {
        EXPECT_EQ(entry.letter, letter(entry.letter.seq, entry.letter.item.size() - 3));
        found.push_back(entry.letter.seq);
      }
      EXPECT_GE(page->next, page->entries.back().end);  // More where torn lines follow.
      at = page->next;
    }
  }
  DeadLetters::Place behind(std::uint64_t seq) {
    for (DeadLetters::Place at = 0; at < letters_->end();) {
      const auto page = letters_->read(at);
      for (const auto& entry : page->entries)
        if (entry.letter.seq == seq) return entry.end;
      at = page->next;
    }
    ADD_FAILURE() << "no letter " << seq;
    return 0;
  }
  static Names from_to(std::uint64_t first, std::uint64_t last) {
    Names names;
    for (; first <= last; ++first) names.push_back(first);
    return names;
  }
  std::string bytes(const std::string& path) { return fs_.read_file(path).value_or(""); }
  std::string path() const { return home_ / "dead/loki-main.ndjson"; }

  test::TempDir home_;
  FaultFs fs_;
  std::unique_ptr<DeadLetters> letters_;
};

TEST_F(DeadLettersTest, AreReadBackAsTheyWereAlsoAfterARestart) {
  EXPECT_EQ(left(), Names());
  EXPECT_TRUE(add(1, 3));
  EXPECT_TRUE(add(4, 4));
  EXPECT_EQ(left(), from_to(1, 4));
  reopen();
  EXPECT_EQ(left(), from_to(1, 4));
  EXPECT_EQ(letters_->counts().waiting, 4U);
}

TEST_F(DeadLettersTest, AreLinesForPeopleAndToolsInAFileForItsOwnerOnly) {
  const mode_t before = ::umask(0);
  EXPECT_TRUE(add(7, 7));
  ::umask(before);
  const std::string text = bytes(path());
  ASSERT_TRUE(text.ends_with("}\n"));
  const Json object = Json::parse(text).value();
  EXPECT_EQ(object["time"].as_string(), "2026-11-23T10:00:00.123456789Z");
  EXPECT_EQ(object["app"].as_string(), "api");
  EXPECT_EQ(object["stream"].as_string(), letter(7).stream);
  EXPECT_EQ(object["status"].as_int(), 400);
  EXPECT_EQ(object["reason"].as_string(), "too old");
  EXPECT_EQ(object["store"].as_string(), letter(7).store);
  EXPECT_EQ(object["line"].as_string(), letter(7).line);
  EXPECT_EQ(object["seq"].as_int(), 7);
  EXPECT_EQ(object["log"].as_string(), "abcdef0123456789");
  EXPECT_EQ(object["item"].as_string(), base64_encode(letter(7).item));
  EXPECT_EQ(object["group"].as_string(), letter(7).group);
  EXPECT_EQ(fs_.info(path())->permissions, 0600U);
  EXPECT_EQ(fs_.info(home_ / "dead")->permissions, 0700U);
}

TEST_F(DeadLettersTest, AnOlderFileThatDoesNotSayTheCodingIsReadAsWell) {
  EXPECT_TRUE(add(1, 1));
  std::string text = bytes(path());
  const std::string coding = "\"coding\":\"loki/json\",";
  ASSERT_NE(text.find(coding), std::string::npos);
  text.erase(text.find(coding), coding.size());
  EXPECT_TRUE(fs_.replace_file(path(), text));
  reopen();
  const auto page = letters_->read(0);
  ASSERT_TRUE(page && page->entries.size() == 1);
  EXPECT_EQ(page->entries[0].letter.coding, "");
  EXPECT_EQ(page->entries[0].letter.item, letter(1).item);
}

TEST_F(DeadLettersTest, PagesOfAnySizeGiveEachLetterOnce) {
  EXPECT_TRUE(add(1, 20));
  for (const std::size_t max_bytes : {1UL, 100UL, 500UL, 1300UL, 1UL << 20U})
    EXPECT_EQ(left(max_bytes), from_to(1, 20)) << max_bytes;
}

TEST_F(DeadLettersTest, ALineCutAtAnyByteIsSkippedAndTheNextOneIsWhole) {
  EXPECT_TRUE(add(1, 2));
  const std::string whole = bytes(path());
  const std::size_t first = whole.find('\n') + 1;
  for (std::size_t cut = first + 1; cut < whole.size(); ++cut) {
    EXPECT_TRUE(fs_.replace_file(path(), whole.substr(0, cut)));
    reopen();
    EXPECT_EQ(letters_->counts().torn, 1U);
    EXPECT_TRUE(bytes(path()).ends_with('\n'));
    EXPECT_TRUE(add(9, 9));
    // Where only the newline was missing, the letter is whole again.
    const Names expected = cut + 1 == whole.size() ? Names{1, 2, 9} : Names{1, 9};
    EXPECT_EQ(left(), expected) << "cut at byte " << cut;
    EXPECT_EQ(left(1), expected) << "cut at byte " << cut;
  }
}

TEST_F(DeadLettersTest, ATornLineOnAFullDiskIsEndedByTheNextAppend) {
  EXPECT_TRUE(add(1, 1));
  EXPECT_TRUE(fs_.replace_file(path(), bytes(path()) + "{\"time\":"));
  fs_.full_after(0);
  reopen();
  EXPECT_FALSE(add(2, 2));
  EXPECT_EQ(left(), from_to(1, 1));
  fs_.heal();
  EXPECT_TRUE(add(2, 2));
  EXPECT_EQ(left(), from_to(1, 2));
  reopen();
  EXPECT_EQ(letters_->counts().torn, 0U);
}

TEST_F(DeadLettersTest, AFullDiskLeavesNothingHalfApplied) {
  EXPECT_TRUE(add(1, 2));
  const std::string before = bytes(path());
  for (const std::uint64_t room : {0ULL, 1ULL, 700ULL, 1000ULL}) {
    fs_.full_after(room);
    const auto added = add(3, 6);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code(), Errc::kNoSpace);
    EXPECT_EQ(bytes(path()), before) << room;
    EXPECT_EQ(letters_->counts().waiting, 2U);
    EXPECT_EQ(letters_->counts().appended, 2U);
  }
  fs_.heal();
  EXPECT_TRUE(add(3, 6));
  EXPECT_EQ(left(), from_to(1, 6));
}

TEST_F(DeadLettersTest, APartThatCouldNotBeTakenBackIsTakenBackByTheNextAppend) {
  EXPECT_TRUE(add(1, 2));
  fs_.full_after(1000);
  fs_.fail(FaultFs::Call::kTruncate, "loki-main", EIO);
  EXPECT_FALSE(add(3, 6));
  EXPECT_EQ(left(), from_to(1, 2));
  EXPECT_FALSE(add(3, 6));
  fs_.heal();
  EXPECT_TRUE(add(3, 6));
  EXPECT_EQ(left(), from_to(1, 6));
}

TEST_F(DeadLettersTest, ShortWritesAndReadsChangeNothing) {
  fs_.short_writes(7);
  EXPECT_TRUE(add(1, 5));
  fs_.short_reads(11);
  EXPECT_EQ(left(), from_to(1, 5));
  EXPECT_TRUE(letters_->take_retried(behind(2)));
  EXPECT_EQ(left(), from_to(3, 5));
}

TEST_F(DeadLettersTest, TheOldestHalfGoesAtTheBoundAndIsCounted) {
  reopen(20'000);
  for (std::uint64_t seq = 1; seq <= 200; ++seq) {
    ASSERT_TRUE(add(seq, seq));
    EXPECT_LE(letters_->counts().waiting_bytes, 20'000U);
  }
  const auto counts = letters_->counts();
  EXPECT_GT(counts.waiting_bytes, 10'000U);
  EXPECT_EQ(counts.waiting + counts.dropped, 200U);
  EXPECT_EQ(left(), from_to(counts.dropped + 1, 200));
  EXPECT_EQ(left(600), from_to(counts.dropped + 1, 200));
  EXPECT_EQ(fs_.info(path())->size_bytes + fs_.info(path() + ".1")->size_bytes,
            counts.waiting_bytes);
  reopen(20'000);
  EXPECT_EQ(letters_->counts().waiting, counts.waiting);
  EXPECT_EQ(letters_->counts().dropped, counts.dropped);
}

// waiting + dropped is what was appended, whenever the daemon ends.
TEST_F(DeadLettersTest, WhatTheBoundTookIsKnownAfterAnyDeath) {
  struct Dead {};
  fs_.skip_real_syncs();
  for (std::uint64_t life = 500;; life += 37) {
    for (const char* name : {"", ".1", ".account", ".account.tmp"}) (void)fs_.remove(path() + name);
    reopen(4'000);
    std::uint64_t added = 0;
    fs_.die_after(life, [] { throw Dead(); });
    try {
      for (; added < 30; ++added) ASSERT_TRUE(add(added + 1, added + 1));
    } catch (const Dead&) {
    }
    fs_.heal();
    reopen(4'000);
    const auto counts = letters_->counts();
    const std::uint64_t known = counts.waiting + counts.dropped;
    EXPECT_TRUE(known == added || known == added + 1) << known << " of " << added << ", " << life;
    if (added == 30) break;
  }
  EXPECT_GT(letters_->counts().dropped, 0U);
}

// It was said that the old file's letters would go; then the daemon ended, and they did not.
TEST_F(DeadLettersTest, LettersWhoseRotationFailedAreNotCountedAsDropped) {
  reopen(4'000);
  std::uint64_t added = 0;
  for (; !fs_.info(path() + ".1"); ++added) ASSERT_TRUE(add(added + 1, added + 1));
  fs_.fail(FaultFs::Call::kRename, "loki-main.ndjson.1", EIO);
  for (; add(added + 1, added + 1); ++added) ASSERT_LT(added, 100U);
  fs_.heal();
  reopen(4'000);
  EXPECT_EQ(letters_->counts().dropped, 0U);
  EXPECT_EQ(left(), from_to(1, added));
  ASSERT_TRUE(letters_->take_retried(behind(1)));  // The old file has another inode from here on.
  reopen(4'000);
  EXPECT_EQ(letters_->counts().dropped, 0U);
  EXPECT_EQ(left(), from_to(2, added));
}

TEST_F(DeadLettersTest, APlaceHoldsOverARotationAndAPlaceThatWentMeansTheOldest) {
  reopen(20'000);
  EXPECT_TRUE(add(1, 3));
  const auto place = behind(1);
  EXPECT_TRUE(add(4, 11, 400));  // Not yet half of the bound together.
  EXPECT_TRUE(add(12, 13, 2000));
  ASSERT_TRUE(fs_.info(path() + ".1"));
  EXPECT_EQ(letters_->read(place)->entries.front().letter.seq, 2U);
  EXPECT_TRUE(letters_->take_retried(place));
  EXPECT_EQ(left(), from_to(2, 13));
  EXPECT_TRUE(add(14, 14, 4000));
  EXPECT_EQ(letters_->read(place)->entries.front().letter.seq, left().front());
  EXPECT_GT(letters_->counts().dropped, 0U);
}

TEST_F(DeadLettersTest, WhatWasSentAgainGoesWhereverItEnds) {
  for (std::uint64_t up_to = 0; up_to <= 30; ++up_to) {
    for (const char* name : {"", ".1"}) (void)fs_.remove(path() + name);
    reopen(20'000);
    for (std::uint64_t seq = 1; seq <= 30; ++seq) ASSERT_TRUE(add(seq, seq));
    ASSERT_TRUE(fs_.info(path() + ".1"));
    ASSERT_EQ(letters_->counts().dropped, 0U);
    ASSERT_TRUE(letters_->take_retried(up_to == 0 ? 0 : behind(up_to)));
    EXPECT_EQ(left(), from_to(up_to + 1, 30));
    EXPECT_EQ(letters_->counts().retried, up_to);
    EXPECT_EQ(letters_->counts().waiting, 30 - up_to);
    ASSERT_TRUE(add(31, 31));
    EXPECT_EQ(left(), from_to(up_to + 1, 31));
    reopen(20'000);
    EXPECT_EQ(left(), from_to(up_to + 1, 31));
    EXPECT_FALSE(fs_.info(path() + ".tmp"));
  }
}

TEST_F(DeadLettersTest, LettersThatCameDuringARetryStay) {
  EXPECT_TRUE(add(1, 3));
  const auto place = letters_->read(0)->next;
  EXPECT_TRUE(add(4, 4));
  EXPECT_TRUE(letters_->take_retried(place));
  EXPECT_EQ(left(), from_to(4, 4));
  EXPECT_TRUE(letters_->take_retried(letters_->end()));
  EXPECT_EQ(left(), Names());
  EXPECT_EQ(fs_.info(path())->size_bytes, 0U);
}

TEST_F(DeadLettersTest, AFailedRemovalLeavesEveryLetterAndTheSpace) {
  EXPECT_TRUE(add(1, 5));
  const auto place = behind(2);
  using Call = FaultFs::Call;
  for (const Call call : {Call::kWrite, Call::kSync, Call::kRename, Call::kRead}) {
    fs_.fail(call, "loki-main", EIO);
    EXPECT_FALSE(letters_->take_retried(place));
    fs_.heal();
    EXPECT_FALSE(fs_.info(path() + ".tmp"));
    EXPECT_EQ(left(), from_to(1, 5));
  }
  fs_.full_after(100);
  EXPECT_FALSE(letters_->take_retried(place));
  fs_.heal();
  EXPECT_TRUE(letters_->take_retried(place));
  EXPECT_EQ(left(), from_to(3, 5));
}

TEST_F(DeadLettersTest, SyncedLettersOutliveAPowerCut) {
  EXPECT_TRUE(add(1, 2));
  EXPECT_TRUE(letters_->sync());
  EXPECT_TRUE(add(3, 3));
  fs_.lose_unsynced();
  reopen();
  EXPECT_EQ(left(), from_to(1, 2));
}

TEST_F(DeadLettersTest, SinksNamesDoNotLeaveTheDirectoryNorMeet) {
  for (const char* name : {"../x", "a/b", "a_b", ".hidden", "a%2Fb"}) {
    const auto opened = DeadLetters::open(fs_, home_.path(), {name});
    ASSERT_TRUE(opened);
    EXPECT_TRUE((*opened)->append(std::vector{letter(1)}));
  }
  EXPECT_EQ(fs_.list(home_ / "dead")->size(), 5U);
  EXPECT_EQ(fs_.list(home_.path())->size(), 1U);
}

// Of each sink its own letters, with the sequence number as its mark.
class DeadLettersOfManyTest : public DeadLettersTest {
 protected:
  struct Sink {
    std::unique_ptr<DeadLetters> letters;
    Names all() const {
      Names found;
      const auto page = letters->read(0);
      for (const auto& entry : page->entries) found.push_back(entry.letter.seq);
      return found;
    }
  };
  Sink open(const std::string& id, bool shared) {
    auto opened = DeadLetters::open(fs_, home_.path(), {"loki-main", id, shared});
    EXPECT_TRUE(opened) << opened.error().message();
    return {std::move(opened).value()};
  }
  static void refuse(Sink& sink, std::uint64_t seq) {
    ASSERT_TRUE(sink.letters->append(std::vector{letter(seq)}));
  }
  static constexpr const char* kOne = "1111111111111111";
  static constexpr const char* kTwo = "2222222222222222";
};

TEST_F(DeadLettersOfManyTest, TheFileOfAnOlderVersionIsTheFirstOnesThatAsks) {
  ASSERT_TRUE(add(1, 2));  // By nobody.
  letters_.reset();
  auto one = open(kOne, true), two = open(kTwo, true);
  EXPECT_EQ(one.all(), from_to(1, 2));
  EXPECT_EQ(one.letters->path(), path());
  EXPECT_EQ(two.all(), Names());
  refuse(two, 3);
  for (const bool shared : {true, false})  // In another order, and when the other is gone.
    for (const bool second : {true, false})
      EXPECT_EQ(open(second ? kTwo : kOne, shared).all(), second ? Names{3} : from_to(1, 2));
}

TEST_F(DeadLettersOfManyTest, ASinkAloneHasTheSimpleNameAndKeepsIt) {
  letters_.reset();
  auto one = open(kOne, false);
  EXPECT_EQ(one.letters->path(), path());
  auto two = open(kTwo, true);
  EXPECT_EQ(two.letters->path(), home_ / "dead/loki-main-22222222.ndjson");
  refuse(one, 1);
  refuse(two, 2);
  EXPECT_EQ(open(kOne, true).all(), Names{1});
  EXPECT_EQ(open(kTwo, false).all(), Names{2});
}

TEST_F(DeadLettersOfManyTest, AFileThatItsSinkLeftEmptyIsFreeToBeTaken) {
  letters_.reset();
  auto one = open(kOne, false);
  refuse(one, 1);
  EXPECT_EQ(open(kTwo, false).letters->path(), home_ / "dead/loki-main-22222222.ndjson");
  ASSERT_TRUE(one.letters->take_retried(one.letters->end()));
  one.letters.reset();
  auto two = open(kTwo, false);
  EXPECT_EQ(two.letters->path(), path());
  refuse(two, 2);
  EXPECT_EQ(open(kTwo, true).all(), Names{2});
  EXPECT_EQ(open(kOne, true).all(), Names());
}

TEST_F(DeadLettersOfManyTest, OfASinkThatIsGoneOnlyLettersAreLeft) {
  letters_.reset();
  auto one = open(kOne, false);
  refuse(one, 1);
  one.letters->remove_empty();
  EXPECT_EQ(open(kOne, false).all(), Names{1});
  ASSERT_TRUE(one.letters->take_retried(one.letters->end()));
  one.letters->remove_empty();
  EXPECT_EQ(fs_.list(home_ / "dead")->size(), 0U);
}

TEST_F(DeadLettersTest, ManySmallLettersAreOneWrite) {
  const int writes = fs_.calls(FaultFs::Call::kWrite);
  EXPECT_TRUE(add(1, 500));
  EXPECT_EQ(fs_.calls(FaultFs::Call::kWrite), writes + 1);
}

}  // namespace
}  // namespace pmx::ship

#include "http/served_folder.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/sys.h"
#include "http/folder_fixture.h"

namespace pmx::http {
namespace {

class ServedFolderTest : public test::FolderTest {
 protected:
  // What a file holds, or "folder", or the error's message.
  std::string read(const std::string& path) {
    const auto folder = ServedFolder::open(folder_);
    if (!folder) return folder.error().message();
    auto entry = folder->entry(path);
    if (!entry) return entry.error().message();
    return entry->is_folder ? "folder" : sys::read_all(entry->fd.get(), 1000).value_or("unread");
  }
  std::string names(const std::string& path = "",
                    ServedFolder::Dotfiles dotfiles = ServedFolder::Dotfiles::kNo) {
    std::string text;
    const auto folder = ServedFolder::open(folder_);
    const auto entries = folder->list(path, dotfiles);
    if (!entries) return entries.error().message();
    for (const ListedEntry& entry : *entries)
      text += entry.name + (entry.is_folder ? "/ " : ":" + std::to_string(entry.size_bytes) + " ");
    return text;
  }
};

TEST_F(ServedFolderTest, OpensFilesAndFoldersBelowIt) {
  file("a/b.txt", "text");
  EXPECT_EQ(read("a/b.txt"), "text");
  EXPECT_EQ(read("a"), "folder");
  EXPECT_EQ(read(""), "folder");
  EXPECT_EQ(read("a/c.txt"), "open a/c.txt: No such file or directory");
}

TEST_F(ServedFolderTest, NoPathLeadsOutOfIt) {
  file("a/b.txt", "text");
  for (const char* const path :
       {"../secret.txt", "/etc/passwd", "..", "a/../../secret.txt", "/", "/proc/self/environ"})
    EXPECT_EQ(read(path), std::string(path) + ": a link leads out") << path;
}

TEST_F(ServedFolderTest, NoLinkLeadsOutOfItHoweverLong) {
  file("a/b.txt", "text");
  link("up", "../secret.txt");
  link("absolute", root_ + "/secret.txt");
  link("folder", "..");
  link("twice", "up");
  link("own", folder_ + "/a/b.txt");  // The kernel cannot know that it comes back.
  link("magic", "/proc/self/root/etc/passwd");
  for (const char* const path : {"up", "absolute", "folder/secret.txt", "twice", "own", "magic"})
    EXPECT_EQ(read(path), std::string(path) + ": a link leads out") << path;
}

TEST_F(ServedFolderTest, LinksThatStayInsideAreFollowed) {
  file("a/b.txt", "text");
  link("b", "a/b.txt");
  link("a/up", "../a/b.txt");
  link("loop", "loop");
  EXPECT_EQ(read("b"), "text");
  EXPECT_EQ(read("a/up"), "text");
  EXPECT_EQ(read("loop"), "open loop: Too many levels of symbolic links");
}

TEST_F(ServedFolderTest, TheFolderItselfMayBeALinkAndIsFollowedAnew) {
  file("old/x", "old");
  file("new/x", "new");
  const std::string site = folder_;
  link("current", "old");
  folder_ += "/current";
  EXPECT_EQ(read("x"), "old");
  std::filesystem::remove(folder_);
  std::filesystem::create_symlink("new", folder_);
  EXPECT_EQ(read("x"), "new");
  folder_ = site;
}

TEST_F(ServedFolderTest, AFifoASocketAndADeviceAreNoFilesAndKeepNobodyWaiting) {
  ASSERT_EQ(::mkfifo((folder_ + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(read("fifo"), "fifo: neither a file nor a folder");
  const auto socket = sys::listen_unix(folder_ + "/socket", 0600);
  ASSERT_TRUE(socket);
  EXPECT_EQ(read("socket"), "open socket: No such device or address");
  EXPECT_EQ(names(), "");
}

TEST_F(ServedFolderTest, ListsWhatCanBeHadFoldersFirst) {
  file("b.txt", "12345");
  file("a.txt", "1");
  file("z/x", "");
  file(".hidden", "1");
  link("in", "b.txt");
  link("out", "../secret.txt");
  link("gone", "nothing");
  EXPECT_EQ(names(), "z/ a.txt:1 b.txt:5 in:5 ");
  EXPECT_EQ(names("", ServedFolder::Dotfiles::kYes), "z/ .hidden:1 a.txt:1 b.txt:5 in:5 ");
  EXPECT_EQ(names("z"), "x:0 ");
  EXPECT_EQ(names("b.txt"), "fdopendir b.txt: Not a directory");
}

TEST_F(ServedFolderTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_FALSE(ServedFolder::open(folder_ + "/none"));
  EXPECT_FALSE(ServedFolder::open(root_ + "/secret.txt"));
}

}  // namespace
}  // namespace pmx::http

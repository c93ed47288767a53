#include "ship/secret_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "support/fault_fs.h"
#include "support/temp_dir.h"

namespace pmx::ship {
namespace {

using test::FaultFs;
using Kind = SinkAuth::Kind;

constexpr std::string_view kSecret = "hunter2-Zq\"\xc3\xa9\xff";

class SecretStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<SecretStore> open() {
    auto opened = SecretStore::open(fs_, home_.path());
    EXPECT_TRUE(opened) << opened.error().message();
    return std::move(opened).value();
  }
  std::string path() const { return home_ / "state/secrets.json"; }
  std::string write(std::string_view name, std::string_view bytes, mode_t mode = 0600) {
    const std::string at = home_ / name;
    EXPECT_TRUE(fs_.replace_file(at, bytes, 0600));
    EXPECT_EQ(::chmod(at.c_str(), mode), 0);
    return at;
  }
  Result<ResolvedSecret> resolved(const SinkAuth& auth, std::string_view given = "") {
    return resolve(
        auth, given,
        [](const std::string& name) -> std::optional<std::string> {
          if (name == "TOKEN") return std::string(kSecret);
          if (name == "EMPTY") return "";
          if (name == "TWO_LINES") return std::string(kSecret) + "\nX-Admin: 1";
          return std::nullopt;
        },
        fs_);
  }
  static SinkAuth from_env(std::string name) { return {Kind::kBearer, "", std::move(name), ""}; }
  static SinkAuth from_file(std::string path) { return {Kind::kBasic, "u", "", std::move(path)}; }

  test::TempDir home_;
  FaultFs fs_;
};

bool tells(const Error& error) { return error.message().find("hunter2") != std::string::npos; }

TEST_F(SecretStoreTest, KeepsASecretOverARestartInAFileForItsOwnerOnly) {
  const mode_t before = ::umask(0);
  EXPECT_TRUE(open()->put("a1", kSecret));
  ::umask(before);
  EXPECT_EQ(open()->get("a1"), kSecret);
  EXPECT_EQ(open()->get("b2"), std::nullopt);
  EXPECT_EQ(fs_.info(path())->permissions, 0600U);
  EXPECT_EQ(fs_.info(home_ / "state")->permissions, 0700U);
}

TEST_F(SecretStoreTest, APowerCutAfterPutLosesNothing) {
  EXPECT_TRUE(open()->put("a1", kSecret));
  fs_.lose_unsynced();
  EXPECT_EQ(open()->get("a1"), kSecret);
}

TEST_F(SecretStoreTest, ForgetsTheSecretsOfSinksThatAreGone) {
  const auto store = open();
  for (const char* id : {"a1", "b2", "c3"}) EXPECT_TRUE(store->put(id, kSecret));
  EXPECT_TRUE(store->forget_all_but({"b2", "d4"}));
  EXPECT_EQ(store->get("a1"), std::nullopt);
  const auto text = fs_.read_file(path());
  EXPECT_EQ(text->find("a1"), std::string::npos);
  EXPECT_EQ(open()->get("b2"), kSecret);
}

TEST_F(SecretStoreTest, AFullDiskLeavesWhatWasKept) {
  const auto store = open();
  EXPECT_TRUE(store->put("a1", "old"));
  fs_.full_after(5);
  const auto put = store->put("a1", kSecret);
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), Errc::kNoSpace);
  EXPECT_FALSE(tells(put.error()));
  EXPECT_EQ(store->get("a1"), "old");
  fs_.heal();
  EXPECT_EQ(open()->get("a1"), "old");
  EXPECT_TRUE(store->put("a1", kSecret));
  EXPECT_EQ(open()->get("a1"), kSecret);
}

TEST_F(SecretStoreTest, DoesNotWriteWhatIsThereAlready) {
  const auto store = open();
  EXPECT_TRUE(store->put("a1", kSecret));
  const int renames = fs_.calls(FaultFs::Call::kRename);
  EXPECT_TRUE(store->put("a1", kSecret));
  EXPECT_TRUE(store->forget_all_but({"a1"}));
  EXPECT_EQ(fs_.calls(FaultFs::Call::kRename), renames);
}

TEST_F(SecretStoreTest, ADamagedFileIsNamedAndNotShown) {
  EXPECT_TRUE(open()->put("a1", "x"));
  for (const std::string_view bytes : {"{\"a1\": \"hunter2", "{\"a1\": hunter2}", "[\"hunter2\"]",
                                       "{\"a1\": [\"hunter2\"]}", ""}) {
    write("state/secrets.json", bytes);
    const auto opened = SecretStore::open(fs_, home_.path());
    ASSERT_FALSE(opened) << bytes;
    EXPECT_EQ(opened.error().code(), Errc::kCorrupt);
    EXPECT_NE(opened.error().message().find(path()), std::string::npos);
    EXPECT_FALSE(tells(opened.error())) << opened.error().message();
  }
}

TEST_F(SecretStoreTest, ResolvesFromEnvironmentFileOrAsGiven) {
  EXPECT_EQ(resolved(from_env("TOKEN"))->secret, kSecret);
  for (const char* end : {"", "\n", "\r\n"}) {
    const std::string path = write("token", std::string(kSecret) + end);
    EXPECT_EQ(resolved(from_file(path))->secret, kSecret);
    EXPECT_EQ(resolved(from_file(path))->warning, "");
  }
  EXPECT_EQ(resolved({Kind::kApiKey, "", "", ""}, kSecret)->secret, kSecret);
  EXPECT_EQ(resolved({}, kSecret)->secret, "");  // No authentication: none is asked for.
}

TEST_F(SecretStoreTest, SaysWhichVariableOrFileIsMissing) {
  EXPECT_EQ(resolved(from_env("LOKI_TOKEN")).error().message(),
            "auth.secret_env: the environment variable LOKI_TOKEN is not set");
  EXPECT_EQ(resolved(from_env("EMPTY")).error().message(),
            "auth.secret_env: the environment variable EMPTY is empty");
  const auto missing = resolved(from_file(home_ / "none"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Errc::kNotFound);
  EXPECT_NE(missing.error().message().find(home_ / "none"), std::string::npos);
}

TEST_F(SecretStoreTest, WarnsOfAFileThatEverybodyCanRead) {
  const std::string path = write("token", kSecret, 0644);
  const auto found = resolved(from_file(path));
  EXPECT_EQ(found->secret, kSecret);
  EXPECT_EQ(found->warning,
            path + " holds a secret and is open to everybody (mode 0644): chmod 600 " + path);
  EXPECT_EQ(resolved(from_file(write("token", kSecret, 0440)))->warning, "");
}

TEST_F(SecretStoreTest, RefusesWhatCannotBeAHeaderAndDoesNotShowIt) {
  const std::string two_lines = std::string(kSecret) + "\nX-Admin: 1\n";
  const std::string long_one(70'000, 'x');
  for (const auto& auth : {from_env("TWO_LINES"), from_file(write("two", two_lines)),
                           from_file(write("nothing", "\n")),
                           from_file(write("long", std::string(kSecret) + long_one))}) {
    const auto refused = resolved(auth);
    ASSERT_FALSE(refused);
    EXPECT_FALSE(tells(refused.error())) << refused.error().message();
  }
  EXPECT_FALSE(resolved({Kind::kBearer, "", "", ""}, two_lines));
}

TEST_F(SecretStoreTest, AFileThatCannotBeReadIsAnErrorWithoutItsContent) {
  const std::string path = write("token", kSecret);
  fs_.fail(FaultFs::Call::kRead, "token", EIO);
  const auto refused = resolved(from_file(path));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::kIo);
  EXPECT_FALSE(tells(refused.error()));
}

}  // namespace
}  // namespace pmx::ship

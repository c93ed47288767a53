#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "supervisor/reload_fixture.h"

namespace pmx::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Releases that are asked whether they are well before they take over, and ways back from them.
class ReloadHealthTest : public ReloadFixture {
 protected:
  static AppSpec asked(AppSpec spec = web()) {
    spec.health.path = "/up";
    return spec;
  }
  // The connection that the run was handed, with its question read; not valid: none.
  Fd question_to(RunId run) {
    for (;;) {
      std::array<char, 65536> bytes{};
      alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
      iovec part{bytes.data(), bytes.size()};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      const ssize_t got = ::recvmsg(link_.channel_of(run), &message, MSG_DONTWAIT);
      if (got <= 0) return Fd();
      const std::string text(bytes.data(), static_cast<std::size_t>(got));
      const cmsghdr* const header = CMSG_FIRSTHDR(&message);
      if (header == nullptr) continue;
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
      Fd connection(fd);
      if (!has(text, "newconn")) continue;
      pollfd watched{fd, POLLIN, 0};
      EXPECT_EQ(::poll(&watched, 1, 10'000), 1);
      EXPECT_TRUE(has(all_of(fd), "GET /up HTTP/1.1"));
      return connection;
    }
  }
  // What it says travels over the loopback, which may take a moment.
  template <class Happened>
  void answers(RunId run, const std::string& status, Happened happened) {
    const Fd connection = question_to(run);
    ASSERT_TRUE(connection);
    ASSERT_TRUE(sys::send_bytes(connection.get(), "HTTP/1.1 " + status + "\r\n\r\n"));
    for (int i = 0; i < 10'000 && !happened(); ++i) {
      pollfd none{connection.get(), POLLIN, 0};
      (void)::poll(&none, 1, 1);
      watches_.changed();
    }
    EXPECT_TRUE(happened());
  }
  void answers_well(WorkerId id, RunId run) {
    answers(run, "200 OK", [&] { return record(id).run == run; });
  }
};

TEST_F(ReloadHealthTest, TakesOverWhenItHasAnsweredRightly) {
  const WorkerId id = serving(asked());
  const RunId old = record(id).run;
  reload({id}, changed(asked()));
  const RunId next = successor_of(id);
  EXPECT_FALSE(question_to(next));  // It does not listen yet.
  listens(next);
  EXPECT_EQ(record(id).run, old);
  answers_well(id, next);
  leaves(old);
  EXPECT_THAT(answers_, ElementsAre("ok"));
}

TEST_F(ReloadHealthTest, EachWorkerIsAskedNotOnlyTheFirst) {
  const std::vector<WorkerId> ids{serving(asked()), serving(asked())};
  reload(ids, changed(asked()));
  for (const WorkerId id : ids) {
    const RunId old = record(id).run, next = successor_of(id);
    listens(next);
    EXPECT_EQ(record(id).run, old);
    answers_well(id, next);
    leaves(old);
  }
  EXPECT_THAT(answers_, ElementsAre("ok"));
}

TEST_F(ReloadHealthTest, OneThatAnswersWronglyEndsTheReloadAndTheOldOnesStay) {
  const std::vector<WorkerId> ids{serving(asked()), serving(asked())};
  const RunId old = record(ids[0]).run;
  reload(ids, changed(asked()));
  const RunId next = successor_of(ids[0]);
  listens(next);
  for (int i = 0; i < 50 && record(ids[0]).successor; ++i) {
    bool heard = false;
    answers(next, "503 Not Yet", [&] { return std::exchange(heard, true); });
    clock_.advance(100ms);
  }
  EXPECT_FALSE(record(ids[0]).successor);
  EXPECT_EQ(record(ids[0]).run, old);
  run_exits(next);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_THAT(answers_[0], HasSubstr("web (id 0): the new process answers GET /up with 503, not "
                                     "200 (health, asked for 3000 ms); the old one stays"));
  EXPECT_THAT(record(ids[0]).trouble, HasSubstr("GET /up"));
  for (const WorkerId id : ids) EXPECT_FALSE(has_changed(id) || record(id).reload_to);
}

TEST_F(ReloadHealthTest, OneThatDiesOfTheQuestionEndsTheReload) {
  const WorkerId id = serving(asked());
  reload({id}, changed(asked()));
  const RunId next = successor_of(id);
  listens(next);
  run_exits(next, kExit1);
  EXPECT_FALSE(has_changed(id));
  EXPECT_THAT(answers_, SizeIs(1));
  clock_.advance(10s);  // Nobody goes on asking.
  EXPECT_EQ(status(id), "online");
}

TEST_F(ReloadHealthTest, WhereTheOldOneDiesMeanwhileTheNewOneTakesOverAsItIs) {
  const WorkerId id = serving(asked());
  const RunId old = record(id).run;
  reload({id}, changed(asked()));
  const RunId next = successor_of(id);
  listens(next);
  run_exits(old, kExit1);
  EXPECT_EQ(record(id).run, next);
  clock_.advance(10s);
  EXPECT_EQ(status(id), "online");
}

TEST_F(ReloadHealthTest, TheNextDaemonAsksAgain) {
  const WorkerId id = serving(asked());
  reload({id}, changed(asked()));
  const RunId next = successor_of(id);
  listens(next);
  EXPECT_TRUE(question_to(next));
  next_daemon();
  settle();
  EXPECT_NE(record(id).run, next);
  answers_well(id, next);
  EXPECT_TRUE(has_changed(id));
}

TEST_F(ReloadHealthTest, ReadyIsRememberedByTheNextDaemonWhileItIsAsked) {
  AppSpec spec = asked();
  spec.wait_ready = true;
  const WorkerId id = online(spec);
  run_says(record(id).run, "\"ready\"");
  listens(record(id).run);
  reload({id}, changed(spec));
  const RunId next = successor_of(id);
  listens(next);
  EXPECT_FALSE(question_to(next));
  run_says(next, "\"ready\"");
  settle();
  EXPECT_TRUE(question_to(next));
  next_daemon();
  settle();
  answers_well(id, next);
  EXPECT_EQ(status(id), "online");
}

// ---- What a rollback leads to.

TEST_F(ReloadHealthTest, WhatRanBeforeAChangeIsRemembered) {
  const WorkerId id = serving();
  EXPECT_FALSE(record(id).before);
  leaves(reload_and_follow(id, web()));  // Nothing has changed.
  EXPECT_FALSE(record(id).before);
  leaves(reload_and_follow(id));
  ASSERT_TRUE(record(id).before);
  EXPECT_FALSE(record(id).before->app.env.contains("VERSION"));
  leaves(reload_and_follow(id));
  EXPECT_FALSE(record(id).before->app.env.contains("VERSION"));
  next_daemon();
  ASSERT_TRUE(record(id).before);
  leaves(reload_and_follow(id, web()));  // Back: so the way from here is forward.
  EXPECT_TRUE(record(id).before->app.env.contains("VERSION"));
}

TEST_F(ReloadHealthTest, AReloadThatFailsChangesNothingOfIt) {
  const WorkerId id = serving();
  reload({id});
  run_exits(successor_of(id), kExit1);
  EXPECT_FALSE(record(id).before);
}

TEST_F(ReloadHealthTest, ALinkThatWasMovedIsAChange) {
  fs::create_directories(home_ + "/1");
  fs::create_directories(home_ + "/2");
  fs::create_directory_symlink(home_ + "/1", home_ + "/current");
  AppSpec spec = web();
  spec.script = home_ + "/current/app.js";
  spec.cwd = home_ + "/current";
  const WorkerId id = serving(spec);
  fs::remove(home_ + "/current");
  fs::create_directory_symlink(home_ + "/2", home_ + "/current");
  leaves(reload_and_follow(id, spec));
  ASSERT_TRUE(record(id).before);
  EXPECT_EQ(record(id).before->links.at(home_ + "/current"), fs::canonical(home_ + "/1").string());
  const auto back = supervisor::back_to(*record(id).before, record(id).spec);
  ASSERT_TRUE(back);
  leaves(reload_and_follow(id, *back));
  EXPECT_EQ(link_.spawns_.back().cwd, fs::canonical(home_ + "/1").string());
  EXPECT_EQ(record(id).before->links.at(home_ + "/current"), fs::canonical(home_ + "/2").string());
  // What restarts it by itself does not follow the link.
  run_exits(record(id).run, kExit1);
  settle();
  EXPECT_EQ(link_.spawns_.back().cwd, fs::canonical(home_ + "/1").string());
}

TEST_F(ReloadHealthTest, OfSeparateProcessesOneThatLivedForAWhileIsGoneBackTo) {
  AppSpec spec = app();
  const WorkerId id = online(spec);
  clock_.advance(2s);
  const auto restart = [&](const char* version) {
    AppSpec next = spec;
    next.env["VERSION"] = version;
    supervisor_->restart(id, next, note());
    exits(id, kExit0);
    link_.run(record(id).run);
    settle();
  };
  restart("2");
  EXPECT_THAT(record(id).before->app.env, IsEmpty());
  restart("3");  // 2 has not lived for min_uptime.
  EXPECT_THAT(record(id).before->app.env, IsEmpty());
  clock_.advance(2s);
  restart("4");
  EXPECT_EQ(record(id).before->app.env.at("VERSION"), "3");
}

}  // namespace
}  // namespace pmx::test

#include "cli/balance_view.h"

#include <gmock/gmock.h>

namespace pmx::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Json worker(std::int64_t instance, Json connections, Json open = 10) {
  return Json::object({{"name", "web"},
                       {"namespace", "default"},
                       {"pm_id", instance},
                       {"instance", instance},
                       {"pid", 100 + instance},
                       {"balance", "slots"},
                       {"lived_ms", 90'000},
                       {"open", std::move(open)},
                       {"connections", std::move(connections)},
                       {"requests", 5}});
}

TEST(BalanceViewTest, ShowsARowForEachWorkerAndADashForWhatIsNotKnown) {
  const std::string text = balance_table(Console(Console::Options()),
                                         Json::Array{worker(0, 7), worker(1, nullptr, nullptr)});
  for (const char* row :
       {"│ id │ name │ worker │ pid │ balance │ open │ connections/min │ requests/min │",
        "│ 0  │ web  │ 0      │ 100 │ slots   │ 10   │ 7               │ 5            │",
        "│ 1  │ web  │ 1      │ 101 │ slots   │ -    │ -               │ 5            │"})
    EXPECT_THAT(text, HasSubstr(row));
}

TEST(BalanceViewTest, WarnsOfAWorkerWithMoreThanItsShare) {
  EXPECT_THAT(uneven_lines(Json::Array{worker(0, 100), worker(1, 100), worker(2, 190)}),
              ElementsAre(HasSubstr("web: worker 2 has 1.5 times the mean of the connections of "
                                    "the last minute")));
  EXPECT_THAT(uneven_lines(Json::Array{worker(0, 5, 400), worker(1, 5, 100)}),
              ElementsAre(HasSubstr("web: worker 0 has 1.6 times the mean of the open")));
}

TEST(BalanceViewTest, WarnsOfRequestsWhereConnectionsAreEven) {
  Json busy = worker(0, 20);
  busy.set("requests", 900);
  EXPECT_THAT(uneven_lines(Json::Array{busy, worker(1, 20)}),
              ElementsAre(HasSubstr("web: worker 0 has 2.0 times the mean of the requests of the "
                                    "last minute")));
  busy.set("connections", 900);  // Which is why.
  EXPECT_THAT(uneven_lines(Json::Array{busy, worker(1, 20)}),
              ElementsAre(HasSubstr("of the connections of the last minute")));
}

TEST(BalanceViewTest, WarnsOfTurnsThatAreUneven) {
  Json first = worker(0, 100), other = worker(1, 900);
  first.set("balance", "rr");
  other.set("balance", "rr");
  EXPECT_THAT(uneven_lines(Json::Array{first, other}), ElementsAre(HasSubstr("worker 1 has 1.8")));
}

TEST(BalanceViewTest, SaysNothingOfWhatChanceMakes) {
  EXPECT_THAT(uneven_lines(Json::Array{worker(0, 2), worker(1, 8)}), IsEmpty());
  EXPECT_THAT(uneven_lines(Json::Array{worker(0, 1000), worker(1, 1200)}), IsEmpty());
  EXPECT_THAT(uneven_lines(Json::Array{worker(0, 900)}), IsEmpty());
}

TEST(BalanceViewTest, SaysNothingWhereSharesAreNotMeantToBeEvenOrNotKnown) {
  Json shared = worker(0, 100), other = worker(1, 900);
  shared.set("balance", "shared");
  other.set("balance", "shared");
  EXPECT_THAT(uneven_lines(Json::Array{shared, other}), IsEmpty());
  EXPECT_THAT(uneven_lines(Json::Array{worker(0, nullptr), worker(1, 900)}), IsEmpty());
  Json young = worker(0, 100);
  young.set("lived_ms", 30'000);
  EXPECT_THAT(uneven_lines(Json::Array{young, worker(1, 900)}), IsEmpty());
}

}  // namespace
}  // namespace pmx::cli

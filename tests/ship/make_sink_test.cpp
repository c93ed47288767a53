#include "ship/make_sink.h"

#include <gtest/gtest.h>

namespace pmx::ship {
namespace {

TEST(MakeSinkTest, EveryTypeHasASinkThatFramesWhatItEncodes) {
  for (const SinkType type : {SinkType::kLoki, SinkType::kElasticsearch, SinkType::kOpenSearch,
                              SinkType::kVictoriaLogs, SinkType::kHttp, SinkType::kFile}) {
    SinkContext context;
    context.spec.type = type;
    context.spec.urls = {type == SinkType::kFile ? "/tmp/x" : "http://127.0.0.1:1"};
    const auto sink = make_sink(context);
    ASSERT_NE(sink, nullptr) << name_of(type);
    Origin origin;
    origin.app = "web";
    origin.host = "h";
    std::string text = "hello";
    text.append(64, '\0');
    Event event;
    event.text = std::string_view(text).substr(0, 5);
    event.time_ns = 1'795'428'000'000'000'001;
    event.origin = &origin;
    std::string item;
    const Sink::Group group = sink->group_of(event);
    sink->encode(event, item);
    EXPECT_NE(item.find("hello"), std::string::npos) << name_of(type);
    EXPECT_EQ(sink->text_of(item), "hello") << name_of(type);
    EXPECT_EQ(sink->group_named(sink->name_of(group)), group) << name_of(type);
    const HttpRequest request = sink->request(group, sink->frame(group, item).body, 0);
    EXPECT_FALSE(request.body.empty()) << name_of(type);
    EXPECT_NE(request.url.find(type == SinkType::kFile ? "/tmp/x" : "127.0.0.1:1"),
              std::string::npos)
        << request.url;
  }
}

}  // namespace
}  // namespace pmx::ship

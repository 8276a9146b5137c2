"""Names of topics: moodwire's own, and those of others that settings put in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.engine.ports import Send
from streams.errors import SettingsError
from streams.settings import Settings, load_settings
from streams.topics import NAMED, NamedTopics, Topics, topic_specs
from streams.transport.broker import TopicSpec, open_broker
from streams.transport.kafka.cluster import given_headers

OTHERS = NamedTopics(news="news", rejects="dead.letters")


def test_a_topic_has_the_name_that_the_settings_give_and_its_kind_is_found_again() -> None:
    topics = Topics("moodwire.", "live", OTHERS)
    assert (topics.news, topics.scored, topics.rejects) == ("news", "moodwire.live.scored", "dead.letters")
    assert [topics.kind(name) for name in ("news", topics.mentions, "dead.letters")] == ["news", "mentions", "rejects"]
    assert topics.sources["score"] == "news"
    assert (topics.name(""), topics.group("score")) == ("moodwire.live.", "moodwire.live.score")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"news_topic": "my news"}, r"MOODWIRE_NEWS_TOPIC='my news'.*letters"),
        ({"scored_topic": "."}, "MOODWIRE_SCORED_TOPIC"),
        ({"alerts_topic": "a" * 250}, "at most 249"),
        ({"news_topic": "n", "scored_topic": "n"}, "MOODWIRE_NEWS_TOPIC, MOODWIRE_SCORED_TOPIC are all 'n'"),
        ({"scored_topic": "moodwire.live.mentions"}, r"begins with 'moodwire.live.'.*leave it unset"),
    ],
)
def test_names_that_cannot_be_are_refused_with_the_setting(given: dict[str, str], match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        load_settings(**given)


def test_existing_topics_belong_to_the_configured_namespace_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_NEWS_TOPIC", "news")
    assert load_settings().topics.news == "news"
    assert load_settings(namespace="live").topics.news == "news"
    assert load_settings(namespace="demo").topics.news == "moodwire.demo.news"
    monkeypatch.setenv("MOODWIRE_NAMESPACE", "prod")
    assert load_settings(namespace="prod").topics.news == "news"
    assert load_settings(namespace="live").topics.news == "moodwire.live.news"


def test_an_empty_prefix_is_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().topics.mentions == "moodwire.live.mentions"
    monkeypatch.setenv("MOODWIRE_PREFIX", "")
    settings = load_settings()
    assert (settings.topics.mentions, settings.topics.group("watch")) == ("live.mentions", "live.watch")


def test_specs_say_which_topics_are_others() -> None:
    specs = {spec.name: spec for spec in topic_specs(Settings(news_topic="news", alerts_topic="pages"))}
    assert {name: spec.foreign for name, spec in specs.items() if spec.foreign} == {"news": "news", "pages": "alerts"}
    assert [spec.written for spec in (specs["news"], specs["pages"])] == [False, True]
    assert len(specs) == len(topic_specs(Settings()))


def test_the_embedded_broker_makes_what_is_missing_and_leaves_what_is_there(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, **{f"{topic}_topic": f"their-{topic}" for topic in NAMED})  # type: ignore[arg-type]
    settings.home.mkdir(parents=True)
    with open_broker(settings.broker) as broker:
        broker.ensure_topics([TopicSpec("their-news", 4)])
        broker.append([Send("their-news", None, b"x", 3)])
        broker.ensure_topics(topic_specs(settings))
        assert broker.topic("their-news").partitions == 4
        assert broker.topic("their-scored").partitions == 1
        assert len(list(broker.scan("their-news"))) == 1


def test_a_header_without_a_value_is_empty() -> None:
    assert given_headers([("a", None), ("b", b"1")]) == (("a", b""), ("b", b"1"))

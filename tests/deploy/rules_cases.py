"""A healthy moodwire as series over two hours, and what each alert needs to change in it before it fires.

Series are in promtool's notation, one sample a minute: `a+bxn` starts at a and grows by b, n times.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ALWAYS", "CASES", "HEALTHY", "MINUTES", "Case", "Firing"]

MINUTES = 120
ALWAYS = "MoodwireWatchdog"


def flat(value: float) -> str:
    return f"{value}+0x{MINUTES}"


def rising(step: float, start: float = 0) -> str:
    return f"{start}+{step}x{MINUTES}"


def clock(behind_seconds: float) -> str:
    """A time stamp that follows the clock at a distance."""
    return f"{-behind_seconds}+60x{MINUTES}"


GROUP = 'group="moodwire.live.score",topic="moodwire.live.news"'

HEALTHY: dict[str, str] = {
    'up{job="moodwire",instance="score-1"}': flat(1),
    'moodwire_build_info{instance="score-1",version="0.2.0",python="3.12"}': flat(1),
    'moodwire_model_info{instance="score-1",language="en",name="small",version="1"}': flat(1),
    'moodwire_model_info{instance="score-2",language="en",name="small",version="1"}': flat(1),
    'moodwire_stage_up{instance="score-1",stage="score"}': flat(1),
    'moodwire_stage_up{instance="score-2",stage="score"}': flat(1),
    "moodwire_broker_up": flat(1),
    "moodwire_archive_up": flat(1),
    'moodwire_records_total{instance="score-1",stage="score"}': rising(6_000),
    'moodwire_last_progress_timestamp_seconds{stage="score"}': clock(2),
    f'moodwire_consumer_lag_records{{instance="score-1",{GROUP},partition="0"}}': flat(40),
    f'moodwire_consumer_lag_records{{instance="score-2",{GROUP},partition="0"}}': flat(40),
    'moodwire_watermark_timestamp_seconds{partition="0"}': clock(20),
    'moodwire_newest_seen_timestamp_seconds{partition="0"}': clock(5),
    'moodwire_mentions_dropped{partition="0"}': flat(3),
    'moodwire_retries_total{stage="score",reason="retry"}': flat(5),
    'moodwire_rejects_total{reason="bad_json"}': rising(1),
    'moodwire_feed_polls_total{result="new"}': rising(10),
    'moodwire_feed_polls_total{result="failed"}': rising(1),
    'moodwire_trouble{reason="lag"}': flat(0),
    'moodwire_trouble{reason="retention"}': flat(0),
    'moodwire_archive_failures_total{reason="retry"}': flat(4),
    'moodwire_archive_latency_seconds_bucket{le="0.25"}': rising(6_000),
    'moodwire_archive_latency_seconds_bucket{le="10"}': rising(6_000),
    'moodwire_archive_latency_seconds_bucket{le="+Inf"}': rising(6_000),
    'moodwire_alert_latency_seconds_bucket{le="50"}': rising(2),
    'moodwire_alert_latency_seconds_bucket{le="100"}': rising(2),
    'moodwire_alert_latency_seconds_bucket{le="+Inf"}': rising(2),
    'moodwire_notifications_total{channel="webhook",result="delivered"}': rising(2),
    'moodwire_notifications_total{channel="webhook",result="failed"}': flat(1),
    'moodwire_notifications_total{channel="webhook",result="retry"}': flat(9),
    'moodwire_notifications_oldest_waiting_seconds{channel="webhook"}': flat(0),
    'moodwire_watchdog_pings_total{result="sent"}': rising(1),
    'moodwire_watchdog_pings_total{result="failed"}': rising(0.05),
    'moodwire_drift_psi{model="small",head="sentiment",against="usual"}': flat(0.02),
    'moodwire_drift_psi{model="small",head="sentiment",against="held_out"}': flat(0.4),
    'moodwire_drift_sureness{model="small",head="sentiment",span="recent"}': flat(0.84),
    'moodwire_drift_sureness{model="small",head="sentiment",span="usual"}': flat(0.86),
    'moodwire_tokens_total{model="small"}': rising(100_000),
    'moodwire_unknown_tokens_total{model="small"}': rising(100),
}


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that must fire, with all its labels and its summary."""

    alert: str
    severity: str
    summary: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """Changes to HEALTHY (None removes a series) and all that fires at `minute`, the watchdog apart."""

    name: str
    changes: dict[str, str | None]
    firing: tuple[Firing, ...] = ()
    minute: int = MINUTES


def _without(part: str) -> dict[str, str | None]:
    return {name: None for name in HEALTHY if part in name}


SCORE = (("stage", "score"),)
LAGS = [name for name in HEALTHY if "consumer_lag" in name]
STOPPED = "6000+0x120"  # counted once, long ago

CASES = (
    Case("all is well", {}),
    Case(
        "a worker does not answer",
        {'up{job="moodwire",instance="score-1"}': flat(0)},
        (
            Firing(
                "MoodwireDown",
                "critical",
                "score-1 does not answer",
                (("job", "moodwire"), ("instance", "score-1")),
            ),
        ),
    ),
    Case(
        "no process is seen",
        _without("build_info"),
        (Firing("MoodwireAbsent", "critical", "Prometheus finds no process of moodwire"),),
    ),
    Case(
        "one worker of two is stuck",
        {'moodwire_stage_up{instance="score-2",stage="score"}': flat(0)},
        (
            Firing(
                "MoodwireWorkerStuck",
                "warning",
                "score-2 has not started stage score",
                (("instance", "score-2"), *SCORE),
            ),
        ),
    ),
    Case(
        "a worker that starts for ten minutes is nobody's concern",
        {'moodwire_stage_up{instance="score-2",stage="score"}': "0+0x10 1+0x110"},
        minute=10,
    ),
    Case(
        "all workers of a stage are down, for ten minutes",
        {
            'moodwire_stage_up{instance="score-1",stage="score"}': "1+0x109 0+0x20",
            'moodwire_stage_up{instance="score-2",stage="score"}': "1+0x109 0+0x20",
        },
        (Firing("MoodwireStageDown", "critical", "No worker of stage score is processing", SCORE),),
    ),
    Case(
        "the broker is away",
        {"moodwire_broker_up": flat(0)},
        (Firing("MoodwireBrokerDown", "critical", "No worker reaches the broker"),),
    ),
    Case(
        "an upgrade stopped half way",
        {'moodwire_build_info{instance="score-2",version="0.1.0",python="3.12"}': flat(1)},
        (
            Firing(
                "MoodwireVersionsDiffer",
                "warning",
                "2 versions of moodwire run side by side: an upgrade is not finished",
            ),
        ),
    ),
    Case(
        "a rolling upgrade takes half an hour",
        {'moodwire_build_info{instance="score-2",version="0.1.0",python="3.12"}': "1+0x30"},
        minute=30,
    ),
    Case(
        "two workers score with different models",
        {
            'moodwire_model_info{instance="score-2",language="en",name="small",version="1"}': None,
            'moodwire_model_info{instance="score-2",language="en",name="small",version="2"}': flat(1),
        },
        (
            Firing(
                "MoodwireModelsDiffer",
                "warning",
                "Language en is scored by 2 different models",
                (("language", "en"),),
            ),
        ),
    ),
    Case(
        "nothing comes in",
        {'moodwire_records_total{instance="score-1",stage="score"}': STOPPED, **dict.fromkeys(LAGS, flat(0))},
        (Firing("MoodwireNoThroughput", "warning", "No item was scored in 45 minutes"),),
    ),
    Case(
        "records wait and none is handled",
        {
            'moodwire_records_total{instance="score-1",stage="score"}': STOPPED,
            'moodwire_last_progress_timestamp_seconds{stage="score"}': flat(0),
        },
        (
            Firing("MoodwireNoThroughput", "warning", "No item was scored in 45 minutes"),
            Firing(
                "MoodwireNoProgress",
                "critical",
                "Stage score has made no progress for 2h 0m 0s",
                SCORE,
            ),
            Firing(
                "MoodwireLagSevere",
                "critical",
                "Stage score is over an hour of work behind, or handles nothing while records wait",
                SCORE,
            ),
        ),
    ),
    Case(
        "ten minutes of work wait; two workers report the same lag",
        dict.fromkeys(LAGS, flat(60_000)),
        (Firing("MoodwireLag", "warning", "Stage score is 10m 0s of work behind", SCORE),),
    ),
    Case("four minutes of work wait", dict.fromkeys(LAGS, flat(24_000))),
    Case(
        "two hours of work wait",
        dict.fromkeys(LAGS, flat(720_000)),
        (
            Firing("MoodwireLag", "warning", "Stage score is 2h 0m 0s of work behind", SCORE),
            Firing(
                "MoodwireLagSevere",
                "critical",
                "Stage score is over an hour of work behind, or handles nothing while records wait",
                SCORE,
            ),
        ),
    ),
    Case(
        "the watermark of one partition stands",
        {'moodwire_watermark_timestamp_seconds{partition="1"}': clock(300)},
        (
            Firing(
                "MoodwireWatermarkStalled",
                "critical",
                "Windows of mentions partition 1 do not close: event time is 5m 0s behind",
                (("partition", "1"),),
            ),
        ),
    ),
    Case(
        "a partition moved: its old owner's watermark stands, its new one's goes on",
        {
            'moodwire_watermark_timestamp_seconds{partition="0",instance="old"}': flat(100),
            'moodwire_watermark_timestamp_seconds{partition="0",instance="new"}': clock(20),
        },
    ),
    Case(
        "the watermark of one partition is ahead of the clock",
        {'moodwire_watermark_timestamp_seconds{partition="1"}': clock(-7200)},
        (
            Firing(
                "MoodwireEventTimeAhead",
                "critical",
                "Windows of mentions partition 1 are ahead: event time is 2h 0m 0s ahead of the clock",
                (("partition", "1"),),
            ),
        ),
    ),
    Case(
        "a publisher's clock is ahead",
        {'moodwire_newest_seen_timestamp_seconds{partition="3"}': clock(-300)},
        (
            Firing(
                "MoodwireClockAhead",
                "warning",
                "News is dated 5m 0s in the future: the clock of a publisher is wrong",
            ),
        ),
    ),
    Case(
        "a publisher's clock is ahead by less than matters",
        {'moodwire_newest_seen_timestamp_seconds{partition="3"}': clock(-5)},
    ),
    Case(
        "mentions came too late",
        {'moodwire_mentions_dropped{partition="0"}': "0+0x90 6+0x30"},
        (
            Firing(
                "MoodwireMentionsDropped",
                "warning",
                "6 mentions arrived over a day late and are in no baseline",
            ),
        ),
        minute=119,
    ),
    Case(
        "runs are repeated",
        {'moodwire_retries_total{stage="score",reason="archive"}': rising(6)},
        (
            Firing(
                "MoodwireRetries",
                "warning",
                "Stage score repeats runs: archive",
                (*SCORE, ("reason", "archive")),
            ),
        ),
    ),
    Case(
        "a twentieth of the records cannot be processed",
        {'moodwire_rejects_total{reason="bad_json"}': rising(300)},
        (Firing("MoodwireRejects", "warning", "5% of the records cannot be processed"),),
    ),
    Case(
        "a compacted topic of others deletes keys",
        {
            'moodwire_rejects_total{reason="no_value"}': rising(300),
            'moodwire_rejects_total{reason="bad_json"}': rising(1),
        },
    ),
    Case(
        "a few rejects of few records",
        {
            'moodwire_rejects_total{reason="bad_json"}': rising(1),
            'moodwire_records_total{instance="score-1",stage="score"}': rising(20),
            **dict.fromkeys(LAGS, flat(0)),
        },
    ),
    Case(
        "feeds fail",
        {'moodwire_feed_polls_total{result="failed"}': rising(30)},
        (Firing("MoodwireFeedsFailing", "warning", "75% of the polls of feeds fail"),),
    ),
    Case(
        "a background task fails",
        {'moodwire_task_up{task="feeds"}': flat(0), 'moodwire_task_up{task="monitor"}': flat(1)},
        (
            Firing(
                "MoodwireTaskFails",
                "critical",
                "The background task feeds fails and is restarted",
                (("task", "feeds"),),
            ),
        ),
    ),
    Case(
        "moodwire says what troubles it",
        {'moodwire_trouble{reason="lag"}': flat(1)},
        (Firing("MoodwireTrouble", "warning", "moodwire reports a trouble: lag", (("reason", "lag"),)),),
    ),
    Case(
        "retention overtakes a stage",
        {'moodwire_trouble{reason="retention"}': flat(1)},
        (
            Firing(
                "MoodwireRetention",
                "critical",
                "A stage is so far behind that the broker will delete records that it has not read",
            ),
        ),
    ),
    Case(
        "the archive is away",
        {"moodwire_archive_up": flat(0)},
        (
            Firing(
                "MoodwireArchiveDown",
                "critical",
                "No worker reaches the archive; partitions wait, and lag grows",
            ),
        ),
    ),
    Case(
        "the archive refuses",
        {'moodwire_archive_failures_total{reason="retry"}': rising(2)},
        (
            Firing(
                "MoodwireArchiveRefuses",
                "warning",
                "The archive refuses writes (retry); they are repeated and partitions wait",
                (("reason", "retry"),),
            ),
        ),
    ),
    Case(
        "items are archived late",
        {'moodwire_archive_latency_seconds_bucket{le="0.25"}': flat(0)},
        (
            Firing(
                "MoodwireArchiveLatency",
                "warning",
                "1 % of the items take over 9.902s from seen to archived",
            ),
        ),
    ),
    Case(
        "alerts come late",
        {'moodwire_alert_latency_seconds_bucket{le="50"}': flat(0)},
        (
            Firing(
                "MoodwireAlertLatency",
                "critical",
                "Alerts are sent 1m 39s after the news, not within a minute",
            ),
        ),
    ),
    Case(
        "a channel gives up",
        {'moodwire_notifications_total{channel="webhook",result="failed"}': "0+0x110 1+0x10"},
        (
            Firing(
                "MoodwireNotificationsFailing",
                "critical",
                "Channel webhook gave up on 1 notifications",
                (("channel", "webhook"),),
            ),
        ),
    ),
    Case(
        "a channel needs many tries",
        {'moodwire_notifications_total{channel="webhook",result="retry"}': rising(1)},
        (
            Firing(
                "MoodwireNotificationsDelayed",
                "warning",
                "Channel webhook has not taken notifications at the first attempt for 10 minutes",
                (("channel", "webhook"),),
            ),
        ),
    ),
    Case(
        "a channel is down",
        {'moodwire_notifications_oldest_waiting_seconds{channel="webhook"}': flat(1_000)},
        (
            Firing(
                "MoodwireNotificationsWaiting",
                "critical",
                "Channel webhook has not taken a notification for 16m 40s",
                (("channel", "webhook"),),
            ),
        ),
    ),
    Case(
        "the dead man's switch hears nothing",
        {
            'moodwire_watchdog_pings_total{result="sent"}': flat(9),
            'moodwire_watchdog_pings_total{result="failed"}': rising(1),
        },
        (
            Firing(
                "MoodwireWatchdogSilent",
                "critical",
                "The dead man's switch is not pinged",
            ),
        ),
    ),
    Case(
        "the mix of answers moves",
        {'moodwire_drift_psi{model="small",head="sentiment",against="usual"}': flat(0.5)},
        (
            Firing(
                "MoodwireClassMixDrift",
                "warning",
                "small answers sentiment in another mix than usual (PSI 0.50)",
                (("head", "sentiment"), ("model", "small")),
            ),
        ),
    ),
    Case(
        "the model becomes unsure",
        {'moodwire_drift_sureness{model="small",head="sentiment",span="recent"}': flat(0.61)},
        (
            Firing(
                "MoodwireSurenessDrop",
                "warning",
                "small is less sure of sentiment than usual, by -25%",
                (("head", "sentiment"), ("model", "small")),
            ),
        ),
    ),
    Case(
        "news in a script that the model cannot read",
        {'moodwire_unknown_tokens_total{model="small"}': rising(5_000)},
        (
            Firing(
                "MoodwireUnknownTokens",
                "warning",
                "small does not know 5% of the tokens",
                (("model", "small"),),
            ),
        ),
    ),
    Case(
        "drift is not known yet",
        {
            'moodwire_drift_psi{model="small",head="sentiment",against="usual"}': f"NaN+0x{MINUTES}",
            'moodwire_drift_sureness{model="small",head="sentiment",span="recent"}': f"NaN+0x{MINUTES}",
        },
        (),
    ),
)

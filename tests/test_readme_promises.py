"""What README promises: each promise has a test that can fail for it, and its figures are those of the code.

The tests are named here, beside words of the promise. A promise without a test, or a test that is gone, fails.
"""

from __future__ import annotations

import re

import pytest

from alerts import AlertConfig
from streams.feeds.documents.pool import COSTLY_SECONDS, ParserLimits
from streams.feeds.fetch import BODY_LIMIT
from streams.feeds.slots import SlotLimits
from streams.settings import Settings
from streams.stages.score import ScoreOptions
from streams.text.profile import load_profile
from streams.topics import Topics
from tests.conftest import ROOT

README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())

PROMISES = {
    "it raises an alert within a minute, with the headlines": [
        "test_an_alert_is_decided_within_a_minute", "test_top_items_are_the_latest_negative_stories_of_the_window",
    ],
    "plays two weeks of news with two crises": ["test_the_demo_finds_both_crises_while_they_last"],
    "An item matches if it contains": ["test_watchlists", "test_watchlists_know_entities_and_sources"],
    "A replay that was killed resumes at the next line": ["test_killed_and_started_again_it_goes_on_at_its_line"],
    "playing the same file again changes nothing": ["test_the_same_file_again_under_another_name_publishes_nothing"],
    "prints a field map that fits": ["test_unknown_fields_are_answered_with_the_map_that_fits_and_the_command"],
    "raises no alert in its first three days": ["test_nothing_fires_before_the_warm_up"],
    "**The board** is the page": [
        "test_now_shows_alerts_multiples_heat_and_movers", "test_calm_is_proved",
        "test_a_series_shows_its_worst_hour_and_the_one_that_is_chosen", "test_an_alert_says_why_and_who_was_notified",
        "test_a_silence_shows_what_it_hits_before_it_is_made", "test_one_key_says_what_an_alert_was_worth",
        "test_correct_a_label_in_place", "test_help_lists_the_keys_and_switches_them_off",
        "test_the_page_is_small_and_asks_nobody_else", "test_zone_and_colours_are_kept",
        "test_acknowledge_by_key_and_take_it_back", "test_assign_remembers_the_name",
        "test_a_reader_acknowledges_assigns_judges_and_silences", "test_the_feed_is_searched_and_narrowed",
        "test_the_crisis_is_in_the_series_its_hour_and_its_alert", "test_the_feed_shows_each_story_once",
        "test_a_storm_of_a_thousand_alerts_makes_few_reloads",
    ],
    "**Feeds are not trusted.**": [
        "test_a_document_that_takes_too_much_memory_is_refused_and_the_next_is_read",
        "test_a_host_has_few_slots_and_keeps_none_from_another", "test_slow_feeds_hold_up_each_other_alone",
        "test_cookies_are_not_kept", "test_redirects_into_private_networks_are_refused",
        "test_a_redirect_from_https_to_http_is_refused", "test_proxies_of_the_environment_are_not_used",
    ],
    "`moodwire backup FOLDER` copies": ["test_a_copy_of_a_running_pipeline_goes_on_to_the_same_end"],
    "`moodwire doctor` lists every setting": [
        "test_doctor_ends_in_time_when_nothing_answers", "test_the_settings_of_the_board_are_tried",
    ],
    "Exit codes: 0 success": [
        "test_a_replay_that_archives_nothing_ends_with_1", "test_a_wrong_call_is_one_clear_line",
        "test_an_interrupted_replay_says_so_and_goes_on",
    ],
    "**Settings** come from": [
        "test_an_option_wins_over_the_environment_and_that_over_the_file",
        "test_a_mistake_is_named_with_its_line_its_key_and_the_fix", "test_a_secret_that_everyone_may_read_is_refused",
    ],
    "**Data** go to": ["test_data_lie_in_the_user_s_data_folder"],
    "**Notifications.**": [
        "test_nothing_is_lost_and_a_death_repeats_at_most_what_was_in_flight", "test_every_attempt_carries_the_same_id",
        "test_what_waited_goes_to_the_corrected_address_under_its_id_and_once", "test_a_channel_dead_for_an_hour",
    ],
    "**Questions.**": [
        "test_every_opening_is_explained_by_the_evidence_that_it_had", "test_why_none_opened_has_its_reason",
        "test_what_follows_is_printed_as_it_comes",
        "test_the_crisis_is_above_its_band_and_the_ordinary_days_are_within",
        "test_nothing_that_came_later_is_in_a_row", "test_parquet_has_types_and_timestamps",
        "test_the_command_writes_the_file_and_its_pictures", "test_the_last_whole_day",
        "test_the_file_opens_without_a_request_or_an_error",
        "test_the_digest_of_a_day_comes_with_the_page_of_that_day",
    ],
    "**Decisions.**": [
        "test_people_look_after_alerts", "test_alerts_are_silenced_after_a_look_at_what_matches",
        "test_people_subscribe_and_leave", "test_a_list_holds_for_what_comes_after_it_and_ends",
    ],
    "**From Python**": [
        "test_it_scores_beside_foreign_packages_here_and_in_a_spawned_process",
        "test_it_reads_what_the_archive_has", "test_it_acknowledges_what_it_read_and_is_told_when_that_has_moved",
        "test_it_pushes_in_parts_and_numbers_the_results_through", "test_it_follows_a_board_over_its_restart",
    ],
    "serves its status on": ["test_run_serves_counts_logs_and_ends"],
    "There are at most 64": [
        "test_connections_are_few_where_descriptors_are_few", "test_a_half_open_connection_is_closed",
    ],
    "**The board.**": [
        "test_a_tick_that_takes_long_delays_no_request", "test_a_taken_port_and_an_address_of_others_are_named",
        "test_a_list_is_csv_with_a_link_to_its_next_page", "test_errors_are_problems",
        "test_a_token_is_printed_once_listed_and_revoked", "test_behind_tls_the_cookie_is_secure",
        "test_wrong_tokens_are_limited_and_lock_out_nobody_who_is_in", "test_run_serves_the_board_until_it_is_stopped",
        "test_every_route_is_described_once_and_every_reference_leads_somewhere", "test_every_answer_is_described",
        "test_with_a_token_nobody_without_one_is_let_in", "test_without_tokens_only_loopback_is_listened_on",
        "test_tokens_are_hashed_in_a_private_file", "test_host_is_a_name_of_ours_or_an_address",
        "test_a_change_comes_from_our_own_page_or_from_none",
        "test_the_header_of_a_proxy_counts_from_its_networks_alone",
    ],
    "**Troubles.**": [
        "test_a_blip_is_seen_and_never_told", "test_an_episode_is_told_once_at_its_start_and_once_at_its_end",
        "test_a_stage_that_retention_is_about_to_pass_is_named", "test_a_stalled_stage_is_trouble",
        "test_time_that_is_ahead_is_trouble_until_the_clock_has_caught_up",
        "test_a_silent_feed_is_trouble_until_it_speaks",
        "test_a_channel_that_fails_for_five_minutes_is_trouble_until_it_takes_something",
        "test_a_full_disk_is_trouble_at_the_next_turn_and_over_when_there_is_room",
    ],
    "**Dead man's switch.**": [
        "test_it_pings_once_a_period_while_all_is_well", "test_it_is_silent_while_anything_is_wrong_and_comes_back",
    ],
    "**Logs** go to": ["test_no_secret_is_ever_written", "test_a_run_is_one_line_with_its_figures"],
    "**Traces**": ["test_a_run_links_to_the_runs_that_made_its_records"],
    "**Stopping.**": [
        "test_a_run_that_is_nearly_done_is_finished_and_committed_at_sigterm",
        "test_after_sigterm_the_next_worker_does_nothing_again",
        "test_a_worker_stops_in_time_while_its_broker_is_away",
    ],
    "**Memory** is bounded": [
        "test_memory_is_bounded_by_the_settings", "test_names_that_are_seen_once_leave_neither_rows_nor_positions",
        "test_no_more_mentions_wait_than_are_allowed",
    ],
    "**Kafka as the broker.**": [
        "test_a_named_worker_that_restarts_within_its_session_moves_no_partition", "test_a_dangerous_setting_is_named",
        "test_three_workers_killed_one_after_another",
    ],
    "**Existing topics.**": ["test_topics_of_others_are_used_as_they_are"],
    "**Pace.**": [
        "test_runs_of_a_partition_begin_apart_and_others_do_not_wait",
        "test_a_partition_that_is_gone_is_left_behind_at_the_cap",
        "test_an_item_from_a_clock_that_is_ahead_keeps_its_time_and_moves_none",
    ],
    "**Namespaces.**": [
        "test_the_first_declaration_holds_on_the_embedded_broker", "test_the_first_declaration_holds_on_kafka",
    ],
    "**Elasticsearch as the archive.**": [
        "test_a_redo_changes_nothing", "test_an_item_has_its_own_day_within_the_retention",
        "test_a_read_only_index_makes_the_partition_wait", "test_elasticsearch_killed",
    ],
    "**A better model.**": [
        "test_a_worse_model_is_refused_with_the_reason", "test_a_promotion_raises_nothing_when_baselines_were_rebuilt",
        "test_each_partition_changes_at_one_offset_and_nothing_is_lost_or_scored_twice",
        "test_past_the_gate_with_a_reason_that_is_kept", "test_back_without_the_gate_and_the_number_grows",
    ],
    "**Upgrades.**": [
        "test_newer_news_is_parked_with_the_way_back", "test_an_upgrade_and_the_way_back_keep_every_count",
    ],
    "- Every record is archived": [
        "test_every_item_is_archived_a_duplicate_or_a_reject", "test_a_worker_killed_at_random_moments",
    ],
    "- Counts and alerts depend on": [
        "test_counts_and_alerts_equal_the_reference", "test_four_partitions_change_nothing",
        "test_disorder_and_repeats_change_nothing", "test_the_same_mentions_give_the_same_ids",
    ],
    "- What is counted is data": ["test_what_a_profile_says_is_not_in_the_code", "test_one_line_adds_a_signal"],
    "- An alert fires if": [
        "test_a_stream_in_which_nothing_happens_keeps_the_budget",
        "test_a_smaller_budget_gives_fewer_alarms_and_a_larger_one_more",
        "test_a_quiet_night_or_sunday_ends_nothing_until_the_same_hours_were_calm_a_day_before",
        "test_a_second_burst_after_the_end_is_told_under_the_same_id",
    ],
    "- The classifier's score depends": [
        "test_other_orders_and_neighbours_change_nothing", "test_threads_workers_and_batch_sizes_change_nothing",
        "test_scores_are_the_same_on_every_processor",
    ],
    "- Nothing leaves the machine": [
        "test_demo_and_score_open_no_socket", "test_a_replay_opens_no_socket",
        "test_a_live_run_listens_on_loopback_and_opens_nothing_else",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def tests() -> set[str]:
    """The names of all tests."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for text in texts for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_is_in_the_readme_and_its_tests_exist(promise: str, tests: set[str]) -> None:
    assert promise in README
    assert PROMISES[promise]
    assert set(PROMISES[promise]) <= tests


def test_every_promise_is_listed() -> None:
    section = README.partition("## What it promises")[2].partition("## ")[0]
    bold = re.findall(r"(?:^| )(\*\*[A-Z][^*]*\*\*)", README.partition("## Settings")[0])
    for promise in [*re.findall(r"- [A-Z][^.:,]{10,25}", section), *bold]:
        assert any(promise.startswith(known) or known.startswith(promise) for known in PROMISES), promise


def test_an_alert_is_decided_within_a_minute() -> None:
    """An item that is seen waits for its tick's end, for the lateness, and for the next run of both stages."""
    rules, settings = AlertConfig.of(load_profile("finance").rules), Settings.model_construct()
    assert rules.hop_ms + rules.lateness_ms + 1000 * (settings.score_seconds + settings.watch_seconds) < 45_000


def test_figures_are_those_of_the_code() -> None:
    parser, slots = ParserLimits(), SlotLimits()
    assert f"{parser.most_entries:,} entries, {BODY_LIMIT >> 20} MiB inflated)" in README
    assert f"({parser.cpu_seconds:g} s of processor time, {parser.memory_bytes >> 20} MB," in README
    assert f"{slots.lane} feeds are fetched at once, {slots.host} from one host; a server that takes over" in README
    assert f"over {slots.slow_seconds:g} s moves to {slots.lane} separate slots" in README
    assert COSTLY_SECONDS == 1.0
    assert f"{ScoreOptions(Topics('moodwire.', 'live')).story_capacity:,} recent stories in `score`" in README
    days = load_profile("finance").rules.warm_up_days
    assert {3.0: "in its first three days"}[days] in README


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("deliver_deadline_hours", "`MOODWIRE_DELIVER_DEADLINE_HOURS` ({:g})"),
        ("drain_seconds", "`MOODWIRE_DRAIN_SECONDS` ({:g})"),
        ("score_seconds", "`MOODWIRE_SCORE_SECONDS` ({:g})"),
        ("watch_seconds", "`MOODWIRE_WATCH_SECONDS` ({:g})"),
        ("hold_hours", "`MOODWIRE_HOLD_HOURS` ({:g})"),
        ("hold_items", "`MOODWIRE_HOLD_ITEMS` ({:,})"),
        ("clock_ahead_seconds", "`MOODWIRE_CLOCK_AHEAD_SECONDS` ({:g})"),
    ],
)
def test_defaults_are_those_of_the_settings(name: str, shown: str) -> None:
    assert shown.format(Settings.model_fields[name].default) in README

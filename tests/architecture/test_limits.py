"""Every number in the files of limits is enforced, says what it protects, and has a test one past it."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import Final

import pytest

from tests.architecture.registrylimits import REGISTRY
from tests.architecture.source import PACKAGE, ROOT, report

LIMITS: Final = tuple(ROOT / PACKAGE / "base" / name for name in ("limits.py", "registry_limits.py"))
FORMATS: Final = "tests/limits/test_formats.py::test_invariant_7_at_the_limit_and_one_past_it"
STORES: Final = "tests/limits/test_stores.py::"
TIMES: Final = "tests/limits/test_times.py::"
OUTGOING: Final = "tests/limits/test_outgoing.py::"
TOR: Final = "tests/limits/test_tor.py::"
CONNECTIONS: Final = "tests/rpc/test_connections.py::"
PLACES: Final = "tests/rpc/test_places.py::"
CIRCUITS: Final = "tests/rpc/test_circuits.py::"
RECOVERY: Final = "tests/federation/test_recovery.py::"
NONCES: Final = "tests/rpc/test_noncetable.py::"
CLOCK: Final = "tests/daemon/test_clockstate.py::"
ADMIN: Final = "tests/daemon/test_admin.py::"
METRICS: Final = "tests/daemon/test_metrics.py::"
CONTROL: Final = "tests/daemon/test_control.py::"
STREAM_DOOR: Final = "tests/rpc/test_streamdoor.py::"
STREAM_RULES: Final = "tests/state/test_streamrules.py::"
STREAM_CLIENT: Final = "tests/rpc/test_streamclient.py::"
SUBSCRIPTIONS: Final = "tests/federation/test_subscriptions.py::"
HOSTILE_STREAM: Final = "tests/rpc/test_streamclient_hostile.py::"
HISTORY: Final = "tests/state/test_history.py::"
SQLITE: Final = "tests/storage/test_sqlitefile.py::"

POW: Final = "test_proof_of_work_lets_no_more_callers_wait_than_there_are_connections_for"

# A limit, and the test that stays at it and goes one past it. The test's file must name the limit.
ONE_PAST: Final = {
    "REQUEST_BYTES": "tests/rpc/test_endpoint.py::test_too_large_is_413_before_anything_is_parsed",
    "REPLY_BYTES": OUTGOING + "test_a_reply",
    "INVITE_BYTES": FORMATS,
    "JSON_DEPTH": FORMATS,
    "CBOR_DEPTH": FORMATS,
    "INTEGER_MAX": FORMATS,
    "NODE_NAME_BYTES": FORMATS,
    "NAME_MARKS": FORMATS,
    "APPS_PER_STATE": FORMATS,
    "APP_FIELD_BYTES": FORMATS,
    "LAN_ADDRESSES": FORMATS,
    "HEADER_BYTES": CONNECTIONS + "test_invariant_7_a_head_is_bounded",
    "HEAD_BYTES": CONNECTIONS + "test_invariant_7_a_head_that_does_not_end_is_cut",
    "MESSAGE_BYTES": CONNECTIONS + "test_invariant_7_a_body_whose_chunks_are_mostly_wrapping_is_cut",
    "MESSAGE_LINES": "tests/limits/test_at_once.py::test_invariant_7_a_body_in_thousands_of_chunks_is_cut",
    "SIGNATURE_LIFETIME": FORMATS,
    "DRAIN_TIMEOUT": "tests/daemon/test_listeners.py::test_an_answer_that_never_comes_holds_no_stop_up",
    "FRESHNESS_WINDOW": TIMES + "test_freshness_window",
    "NONCE_MEMORY": TIMES + "test_nonce_memory_outlives_every_window",
    "NONCES_PER_KEY": STORES + "test_invariant_7_nonces_of_a_key_and_of_a_token",
    "NONCES_IN_ALL": STORES + "test_invariant_7_nonces_in_all_and_of_strangers",
    "NONCES_FORGOTTEN": NONCES + "test_invariant_7_no_use_forgets_more_than_so_many_at_once",
    "NONCE_CHARACTERS_MIN": "tests/limits/test_formats.py::test_a_nonce_has_a_least_length",
    "NONCE_CHARACTERS_MAX": FORMATS,
    "CHALLENGE_CHARACTERS": FORMATS,
    "CHALLENGE_LIFETIME": TIMES + "test_challenge_lifetime",
    "CHALLENGE_AFTER_START": TIMES + "test_challenge_after_start",
    "CHALLENGE_AFTER_STEP": CLOCK + "test_invariant_1_everyone_is_challenged_after_a_step_of_the_clock",
    "CLOCK_STEP": TIMES + "test_steps_of_the_clock",
    "CLOCK_SLEW": TIMES + "test_steps_of_the_clock",
    "CLOCK_LOOK": CLOCK + "test_a_step_is_noticed_and_logged_when_nobody_calls",
    "SKEW_TOLD": "tests/daemon/test_status.py::test_a_clock_that_differs_is_told_with_whose_it_is",
    "INVITE_TTL_DEFAULT": TIMES + "test_a_code_without_an_end_is_taken_as_one_of_a_day",
    "INVITE_TTL_MIN": "tests/federation/test_service.py::test_an_invite_carries_what_the_joiner_needs",
    "INVITE_TTL_MAX": "tests/federation/test_service.py::test_an_invite_carries_what_the_joiner_needs",
    "OPEN_INVITES": STORES + "test_open_invites_and_ended_ones",
    "INVITES_KEPT": STORES + "test_open_invites_and_ended_ones",
    "OUTBOX_AFTER_EXPIRY": TIMES
    + "test_the_outbox_ends_a_day_after_the_code_and_a_month_after_it_for_who_waits",
    "AWAITING_AFTER_EXPIRY": "tests/federation/test_inviting.py::test_a_join_waits_for_thirty_days",
    "JOIN_TRIES_UNKNOWN": "tests/federation/test_service.py::test_invariant_3_guessing_tokens_is_slowed_down",
    "FORGOTTEN_HASHES": "tests/federation/test_hashes.py::test_invariant_7_hashes_are_bounded",
    "PENDING_JOINS": "tests/federation/test_inviting.py::test_invariant_7_only_so_many_joins_wait",
    "STATES_BYTES": "tests/federation/test_statebudget.py"
    "::test_invariant_7_states_of_all_members_are_bounded_together",
    "OFFLINE_WINDOWS": "tests/wire/test_windows.py::test_a_peer_has_few_windows_each_once",
    "AWAY_MINUTES": "tests/wire/test_away.py::test_who_is_off_nearly_all_day_is_refused",
    "PEERS": STORES + "test_members",
    "TOMBSTONES": STORES + "test_removed_members_are_remembered_up_to_a_number_the_newest_first",
    "POLL_INTERVAL": TIMES + "test_polls_are_never_more_often_than_the_owner_may_ask_for",
    "POLL_INTERVAL_MIN": TIMES + "test_polls_are_never_more_often_than_the_owner_may_ask_for",
    "POLL_INTERVAL_UNPROVEN": TIMES + "test_who_never_answered_or_waits_for_an_owner_is_asked_slowly",
    "POLL_BACKOFF_FIRST": TIMES + "test_backing_off_begins_at_the_first_pause_and_never_passes_the_last",
    "POLL_BACKOFF_MAX": TIMES + "test_backing_off_begins_at_the_first_pause_and_never_passes_the_last",
    "POLLS_IN_FLIGHT": RECOVERY + "test_polls_and_joins_together_are_bounded",
    "RENAME_INTERVAL": "tests/federation/test_news.py"
    "::test_a_name_that_changes_again_and_again_is_taken_slowly",
    "POLLS_OF_SILENT": "tests/federation/test_slots.py"
    "::test_invariant_7_silent_peers_hold_their_share_at_most",
    "HEARD_RECENTLY": "tests/federation/test_accepting.py::test_codes_that_are_not_accepted",
    "OBSERVATIONS_FLUSH": RECOVERY + "test_what_polling_learned_is_on_disk_within_half_a_minute",
    "JOIN_BACKOFF_FIRST": TIMES + "test_backing_off_begins_at_the_first_pause_and_never_passes_the_last",
    "JOIN_BACKOFF_MAX": TIMES + "test_backing_off_begins_at_the_first_pause_and_never_passes_the_last",
    "JOIN_SLOW_RETRY": TIMES + "test_who_never_answered_or_waits_for_an_owner_is_asked_slowly",
    "STREAMS_OUTBOUND": SUBSCRIPTIONS + "test_there_are_no_more_streams_than_the_owner_wants",
    "STREAMS_OUTBOUND_MAX": "tests/config/test_loading.py::test_streams_of_ours_leave_room_for_polls",
    "STREAM_SETTLED": "tests/federation/test_streamrules.py"
    "::test_a_stream_failed_if_it_was_short_or_broke_the_rules",
    "STREAM_SPREAD": SUBSCRIPTIONS + "test_streams_are_not_opened_all_at_once",
    "STREAM_POLL_INTERVAL": SUBSCRIPTIONS + "test_a_stream_follows_a_poll_that_was_answered_and_polls_rest",
    "STREAM_ASKED_AGAIN": SUBSCRIPTIONS + "test_a_peer_that_offers_no_stream_is_polled_and_asked_again_later",
    "STREAM_LIFE": STREAM_CLIENT + "test_a_stream_that_its_publisher_does_not_end_is_ended",
    "STREAM_PING": STREAM_CLIENT + "test_a_stream_that_its_publisher_does_not_end_is_ended",
    "STREAM_SILENCE": STREAM_CLIENT + "test_a_sign_of_life_is_asked_for_and_silence_ends_it",
    "STREAM_MESSAGES": HOSTILE_STREAM + "test_invariant_7_messages_that_come_too_fast_end_a_stream",
    "STREAM_MESSAGES_BURST": HOSTILE_STREAM + "test_invariant_7_messages_that_come_too_fast_end_a_stream",
    "STREAM_BYTES": HOSTILE_STREAM + "test_invariant_7_more_bytes_than_states_need_end_a_stream",
    "STREAM_BYTES_BURST": HOSTILE_STREAM + "test_invariant_7_more_bytes_than_states_need_end_a_stream",
    "STATE_SAMPLE_INTERVAL": TIMES + "test_gauges_are_read_no_more_often_than_the_interval",
    "STATE_GAP": "tests/state/test_rules.py::test_two_numbers_are_a_second_apart",
    "STATES_REMEMBERED": "tests/state/test_rules.py"
    "::test_a_base_is_a_state_of_this_epoch_that_is_still_known",
    "CONNECT_TIMEOUT": OUTGOING + "test_a_connection_that_never_stands",
    "CALL_TIMEOUT": OUTGOING + "test_an_answer_that_drips_for_ever",
    "READ_TIMEOUT": CONNECTIONS + "test_invariant_7_a_connection_that_sends_no_header_is_closed",
    "WRITE_TIMEOUT": CONNECTIONS + "test_invariant_7_a_member_who_does_not_read_the_answers_is_closed_too",
    "KEEPALIVE": OUTGOING + "test_an_idle_connection_is_kept_for_its_time",
    "CONNECTIONS_INBOUND": CONNECTIONS + "test_invariant_7_of_too_many_connections_the_oldest_strangers_ends",
    "CONNECTIONS_OF_MEMBERS": PLACES
    + "test_invariant_7_of_too_many_members_the_one_that_was_not_used_longest_goes",
    "CONNECTIONS_PER_KEY": CONNECTIONS + "test_invariant_7_one_member_has_few_connections",
    "CONNECTIONS_PER_CIRCUIT": PLACES + "test_invariant_7_one_circuit_has_few_places",
    "REQUESTS_PER_CIRCUIT": CIRCUITS + "test_invariant_7_a_circuit_has_a_rate",
    "REQUESTS_PER_CIRCUIT_BURST": CIRCUITS + "test_invariant_7_a_circuit_has_a_rate",
    "FAILED_TRIES_PER_CIRCUIT": CIRCUITS + "test_invariant_7_a_circuit_has_few_failed_tries",
    "CIRCUITS": CIRCUITS + "test_invariant_7_the_accounts_are_bounded_and_the_longest_unused_goes",
    "REQUESTS_IN_FLIGHT": CONNECTIONS + "test_invariant_7_one_request_too_many_at_once_is_429",
    "STREAM_MESSAGE_BYTES": FORMATS,
    "STREAMS_INBOUND": STREAM_DOOR + "test_invariant_7_one_stream_too_many_is_busy_unless_it_replaces_one",
    "STREAM_WINDOW": STREAM_RULES + "test_invariant_7_a_window_closes_at_its_last_frame",
    "STREAM_SLOW": STREAM_RULES + "test_a_frame_that_is_not_acknowledged_ends_it",
    "CONTROL_LINE_BYTES": CONTROL + "test_invariant_7_a_line_that_never_ends_is_cut",
    "CONTROL_REPLY_BYTES": "tests/daemon/test_controlclient.py::test_an_endless_answer_is_cut",
    "CONTROL_CONNECTIONS": CONTROL + "test_invariant_7_too_many_commands_are_sent_away",
    "CONTROL_IDLE_TIMEOUT": CONTROL + "test_invariant_7_a_connection_that_says_nothing_is_closed",
    "WATCH_INTERVAL": "tests/cli/test_watch.py"
    "::test_what_does_not_change_is_told_once_and_ctrl_c_is_no_failure",
    "WATCH_INTERVAL_MIN": "tests/cli/test_watch.py::test_an_interval_has_a_least_length",
    "CONTROL_ANSWER_TIMEOUT": OUTGOING + "test_an_agent_that_never_answers",
    "CONTROL_READ_TIMEOUT": OUTGOING + "test_an_agent_that_never_answers_a_question",
    "ADMIN_CONNECTIONS": ADMIN
    + "test_invariant_7_of_too_many_connections_the_oldest_ends_and_a_newcomer_is_served",
    "ADMIN_PATIENCE": ADMIN + "test_an_answer_that_does_not_come_is_given_up",
    "ADMIN_RETRY": ADMIN + "test_a_port_in_use_is_said_and_taken_once_it_is_free",
    "METRICS_PEERS": METRICS
    + "test_invariant_7_only_the_first_peers_have_metrics_of_their_own_and_all_count",
    "METRICS_FRESH": METRICS + "test_invariant_7_who_asks_again_at_once_gets_the_same_reading",
    "LOOP_LOOK": METRICS + "test_a_block_of_the_loop_is_seen_as_lag",
    "DISK_PATIENCE": "tests/daemon/test_diskroom.py"
    "::test_invariant_7_a_disk_that_hangs_holds_one_thread_and_no_answer",
    "STORE_FILE_BYTES": STORES + "test_a_store",
    "DISK_LOW": "tests/daemon/test_status.py::test_a_disk_with_little_room_is_told",
    "ANOTHER_COPY_MEMORY": "tests/daemon/test_degraded.py::test_invariant_3_another_copy_suspends_joins",
    "RECOVERY_MARKER_BYTES": "tests/storage/test_recovery.py::test_invariant_5_a_marker_that_is_too_large",
    "FILES_SET_ASIDE": "tests/storage/test_jsonfile_damage.py::test_a_disk_that_damages_files_again",
    "LOCK_WAIT": "tests/daemon/test_operations.py::test_two_changing_commands_wait_for_each_other",
    "UNIX_PATH_BYTES": TOR + "test_the_path_of_a_socket",
    "TOR_START_TIMEOUT": "tests/transports/test_process.py::test_the_control_socket_is_waited_for",
    "TOR_STOP_TIMEOUT": "tests/transports/test_process.py::test_stop_ends_one_that_listens_to_no_signal",
    "TOR_RESTART_FIRST": TIMES + "test_tor_is_started_again_and_asked_again_with_growing_pauses_up_to_a_last",
    "TOR_RESTART_MAX": TIMES + "test_tor_is_started_again_and_asked_again_with_growing_pauses_up_to_a_last",
    "SELF_PROBE_INTERVAL": TOR + "test_a_ready_node_reaches_itself_every_five_minutes",
    "SELF_PROBE_TIMEOUT": TOR + "test_a_probe_that_hangs_is_given_up",
    "SELF_PROBE_FIRST": TIMES + "test_tor_is_started_again_and_asked_again_with_growing_pauses_up_to_a_last",
    "SELF_PROBE_MAX": TIMES + "test_tor_is_started_again_and_asked_again_with_growing_pauses_up_to_a_last",
    "TOR_CONTROL_RETRY_MAX": TOR + "test_a_control_port_that_is_gone_is_looked_for_again_soon",
    "TOR_CONTROL_DEADLINE": "tests/transports/test_controlauth.py::test_a_tor_that_hangs_is_given_up_in_time",
    "TOR_CONTROL_FIRST_BYTES": "tests/transports/test_controlauth.py::test_a_port_that_has_proved_nothing_says_so_much_and_no_more",  # noqa: E501
    "TOR_HEARTBEAT": "tests/transports/test_system.py::test_a_tor_that_hangs_is_noticed_by_its_silence",
    "TOR_PROGRAM_PATIENCE": TOR + "test_a_program_that_hangs_says_nothing",
    "ONION_REPAIR_FIRST": "tests/transports/test_repair.py::test_nothing_is_due_before_the_patience_is_over",
    "ONION_REPAIR_MAX": "tests/transports/test_repair.py::test_each_waits_twice_as_long_up_to_an_hour",
    "TOR_POW_QUEUE_RATE": TOR + POW,
    "TOR_POW_QUEUE_BURST": TOR + POW,
    "TOR_PASSWORD_BYTES": "tests/daemon/test_torplan.py::test_a_file_without_a_password_is_said",
    "TOR_STALL": TOR + "test_a_start_that_gets_no_further_is_said_so",
    "TOR_LOCK_WAIT": "tests/transports/test_process.py::test_a_left_over_tor_is_waited_for",
    "TOR_LOG_BYTES": TOR + "test_the_log_of_tor",
    "TOR_OUTPUT_BYTES": "tests/transports/test_process.py::test_output_is_bounded",
    "TORRC_EXTRA_BYTES": TOR + "test_extra_lines",
    "TOR_STREAMS_PER_CIRCUIT": TOR + "test_streams_of_one_circuit",
    "CONNECTIONS_OUTBOUND": OUTGOING + "test_calls_under_way_in_all",
    "CONNECTIONS_PER_PEER": OUTGOING + "test_calls_under_way_to_one_peer",
    "PROXY_LINE_BYTES": "tests/transports/test_proxyline.py::test_invariant_7_tors_line_is_bounded",
    "PROXY_LINES_DUE": "tests/transports/test_proxyline.py"
    "::test_invariant_7_connections_that_wait_for_tors_line_are_bounded",
    "PROXY_LINE_TIMEOUT": "tests/transports/test_proxyline.py::test_invariant_7_the_line_has_to_come_in_time",
    "JOIN_REPLY_BYTES": OUTGOING + "test_a_reply_to_a_join",
    "UNSIGNED_REPLY_BYTES": "tests/rpc/test_client.py"
    "::test_invariant_7_an_unsigned_reply_is_read_up_to_4_kib",
    "STRANGER_REQUEST_BYTES": "tests/rpc/test_gate_strangers.py"
    "::test_invariant_7_a_strangers_body_is_not_decoded_before_it_is_small_addressed_to_us_and_fresh",
    "BODY_ITEMS": FORMATS,
    "STRANGER_ITEMS": "tests/rpc/test_gate_strangers.py::test_invariant_7_a_strangers_body_has_few_values",
    "SIGNATURE_INPUT_BYTES": FORMATS,
    "NONCES_PER_TOKEN": STORES + "test_invariant_7_nonces_of_a_key_and_of_a_token",
    "NONCES_OF_STRANGERS": STORES + "test_invariant_7_nonces_in_all_and_of_strangers",
    "FAILURES_LOGGED": CONNECTIONS + "test_an_error_of_ours_is_logged_but_not_for_ever",
    "CONFIG_BYTES": STORES + "test_the_configuration",
    "DIDS_CACHED": STORES + "test_invariant_7_remembered_key_ids",
    "HEADERS": CONNECTIONS + "test_invariant_7_a_head_is_bounded",
    "METHOD_CHARACTERS": FORMATS,
    "CALL_ID_CHARACTERS": FORMATS,
    "SECRET_FILE_BYTES": STORES + "test_a_key_file",
    "ERROR_CHARACTERS": STORES + "test_an_error_text",
    "LOG_FILE_BYTES": STORES + "test_log_files",
    "LOG_FILES_KEPT": STORES + "test_log_files",
    "LOG_QUEUE_LINES": STORES + "test_lines_that_wait_for_a_slow_disk",
    "LOG_LINE_CHARACTERS": STORES + "test_a_log_line",
    "DATABASE_BUSY_WAIT": SQLITE + "test_the_writer_syncs_as_often_as_it_was_told_to",
    "DATABASE_WRITES_WAITING": "tests/storage/test_sqlite.py::test_invariant_7_only_so_many_changes_wait",
    "DATABASE_LOG_BYTES": SQLITE + "test_the_writer_syncs_as_often_as_it_was_told_to",
    "HISTORY_INTERVAL": "tests/state/test_historyservice.py"
    "::test_what_was_heard_is_shown_at_once_and_written_once_per_interval",
    "HISTORY_SHORT_SLOTS": HISTORY + "test_the_rings_are_a_day_of_five_minutes_and_thirty_days_of_hours",
    "HISTORY_LONG_SLOTS": HISTORY + "test_the_rings_are_a_day_of_five_minutes_and_thirty_days_of_hours",
    "DATABASES_SET_ASIDE": SQLITE + "test_only_so_many_damaged_ones_are_kept_the_newest",
    **REGISTRY,
}


def _limits() -> list[str]:
    return [
        node.target.id  # type: ignore[union-attr]
        for node in _statements()
        if isinstance(node, ast.AnnAssign)
    ]


def _statements() -> list[ast.stmt]:
    return [node for path in LIMITS for node in ast.parse(path.read_text(encoding="utf-8")).body]


def _functions_in(file: str) -> set[str]:
    path = ROOT / file
    return (
        set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))
        if path.exists()
        else set()
    )


def test_every_limit_has_a_test_that_goes_one_past_it() -> None:
    report([f"{name}: add it to ONE_PAST with its test" for name in _limits() if name not in ONE_PAST])


def test_no_name_stands_for_two_limits() -> None:
    assert len(_limits()) == len(set(_limits()))


def test_no_limit_is_listed_that_is_none() -> None:
    report([f"{name} is in ONE_PAST, but in no file of limits" for name in ONE_PAST.keys() - set(_limits())])


@pytest.mark.parametrize("name", ONE_PAST)
def test_the_test_is_there_and_names_the_limit(name: str) -> None:
    file, _, test = ONE_PAST[name].partition("::")
    assert test in _functions_in(file)
    assert re.search(rf"\b{name}\b", (ROOT / file).read_text(encoding="utf-8")), "its file does not name it"


def test_every_limit_says_what_it_protects() -> None:
    body = _statements()
    pairs = [(node, after) for node, after in pairwise([*body, None]) if isinstance(node, ast.AnnAssign)]
    report([ast.unparse(node) for node, after in pairs if not isinstance(after, ast.Expr)])


def test_no_limit_is_without_somebody_who_enforces_it() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / PACKAGE).rglob("*.py")]
    used = set(re.findall(r"\b(?:registry_)?limits\.([A-Z_]+)\b", "\n".join(sources)))
    report([f"nothing in {PACKAGE}/ looks at {name}" for name in _limits() if name not in used])

"""Limits of base/registry_limits.py, each with the test that stays at it and goes one past it."""

from __future__ import annotations

from typing import Final

_CALLS: Final = "tests/registry/test_clientcalls.py::"
_HTTP: Final = "tests/registry/test_clienthttp.py::"
_SOLVER: Final = "tests/registry/test_powsolver.py::"
_OWN: Final = "tests/wire/test_ownidentity.py::"
_FORMATS: Final = "tests/limits/test_registry_formats.py::test_invariant_7_at_the_limit_and_one_past_it"
_LIMITER: Final = "tests/registry/test_limiter.py::"
_PRESENCE: Final = "tests/registry/test_presence.py::"
_NODES: Final = "tests/registry/test_noderules.py::"
_TLS: Final = "tests/registry/test_tlslistener.py"
_POW: Final = "tests/registry/test_pow.py::"
_PEERS: Final = "tests/registry/test_peerdoor.py::"

_STORE: Final = "tests/registry/test_store.py::"
_SQLITE: Final = "tests/registry/test_storesqlite.py::"

REGISTRY: Final = {
    "CLIENT_CALL_TIMEOUT": _HTTP + "test_an_answer_that_does_not_come_in_time",
    "CLIENT_CONNECT_TIMEOUT": _HTTP + "test_an_answer_that_does_not_come_in_time",
    "CLIENT_TRIES": _CALLS + "test_without_retry_after_pauses_grow_and_the_tries_end",
    "CLIENT_WAIT": _CALLS + "test_invariant_7_all_pauses_of_a_command_together_are_bounded",
    "CLIENT_POW_ROUNDS": _CALLS + "test_invariant_7_a_registry_that_always_wants_more_work_gets_no_more",
    "CLIENT_POW_DIFFICULTY": _SOLVER + "test_invariant_7_more_bits_than_the_bound_are_not_begun",
    "CLIENT_POW_SECONDS": _CALLS
    + "test_work_is_done_when_it_is_asked_for_and_its_header_sent_again_with_every_try",
    "CLIENT_POW_PROCESSES": _SOLVER + "test_invariant_7_no_more_processes_than_the_bound",
    "KNOWN_IDENTITIES": "tests/wire/test_knownidentities.py"
    "::test_invariant_7_the_one_seen_longest_ago_is_forgotten",
    "OWN_IDENTITIES": "tests/registry/test_clientstores.py::test_invariant_7_identities_are_bounded",
    "FORMER_KEYS": _OWN + "test_invariant_7_former_keys_are_bounded_but_for_those_that_a_registry_holds",
    "OWN_REGISTRIES": _OWN + "test_registrations_are_noted_once_each_and_bounded",
    "RESOLVE_BYTES": _FORMATS,
    "REGISTER_BYTES": _FORMATS,
    "ANNOUNCE_BYTES": _FORMATS,
    "SYNC_BYTES": _FORMATS,
    "SYNC_IDENTITIES": _FORMATS,
    "NODES_BYTES": _FORMATS,
    "NODES_IN_A_BODY": _FORMATS,
    "NODE_URL_BYTES": _FORMATS,
    "IDENTITY_BYTES": _FORMATS,
    "REGISTRY_VALUES": _FORMATS,
    "IDENTITY_VALUES": _FORMATS,
    "USER_NAME_BYTES": _FORMATS,
    "ADDRESS_BYTES": _FORMATS,
    "POW_HEADER_CHARACTERS": "tests/wire/test_powchallenge.py::test_invariant_7_a_header_is_bounded",
    "CHANGE_BYTES": "tests/wire/test_ownerstatement.py::test_invariant_7_a_body_is_bounded",
    "CHANGE_WINDOW": "tests/wire/test_ownerstatement.py"
    "::test_invariant_12_a_statement_is_for_one_registry_user_and_time",
    "LOG_BYTES": "tests/wire/test_ownerchange.py::test_invariant_7_a_log_is_bounded",
    "REGISTRY_REPLY_BYTES": _FORMATS,
    "FORWARDED_HOPS": "tests/registry/test_clientaddress.py::test_invariant_7_only_so_many_hops_are_read",
    "CLIENTS": _LIMITER + "test_invariant_7_accounts_are_bounded_and_a_newcomer_is_served_all_the_same",
    "CLIENT_LOOKS": _LIMITER + "test_invariant_7_few_accounts_are_looked_at_for_a_newcomer",
    "NEWCOMERS_RATE": _LIMITER
    + "test_invariant_7_accounts_are_bounded_and_a_newcomer_is_served_all_the_same",
    "NEWCOMERS_BURST": _LIMITER
    + "test_invariant_7_accounts_are_bounded_and_a_newcomer_is_served_all_the_same",
    "REFUSALS_BEFORE_BAN": _LIMITER + "test_invariant_7_only_repeated_abuse_is_banned",
    "REFUSALS_MEMORY": _LIMITER + "test_refusals_are_forgotten_with_time",
    "SHARED_CLIENTS": _LIMITER + "test_the_shared_account_is_never_banned_and_forgets_nobody",
    "PRESENCES": _PRESENCE + "test_invariant_7_presences_are_bounded",
    "PRESENCES_PER_CLIENT": _PRESENCE + "test_invariant_7_one_client_announces_only_so_many_users",
    "PRESENCES_A_STEP": _PRESENCE + "test_a_round_forgets_what_has_expired_and_nothing_else",
    "PRESENCE_AHEAD": _PRESENCE + "test_a_signed_one_is_of_now",
    "NODE_PROBE_INTERVAL": _NODES + "test_nodes_are_looked_at_in_turn",
    "NODE_UNREACHABLE": _NODES + "test_a_node_leaves_the_list_after_a_week_of_silence",
    "NODE_FAILURES": _NODES + "test_a_node_leaves_the_list_after_a_week_of_silence",
    "NODE_PROBE_PAUSE": "tests/registry/test_nodeprobe.py::test_rounds_are_a_pause_apart",
    "NODE_PROBE_TIMEOUT": "tests/registry/test_nodeprobe.py::test_a_look_has_a_time",
    "NODE_PROBES_DUE": _NODES + "test_nodes_are_looked_at_in_turn",
    "TLS_HANDSHAKES": f"{_TLS}::test_invariant_7_handshakes_have_a_bound_and_the_oldest_ends",
    "TLS_HANDSHAKE_TIMEOUT": f"{_TLS}::test_invariant_7_a_handshake_that_takes_too_long_ends",
    "TLS_SHUTDOWN_TIMEOUT": f"{_TLS}::test_a_connection_waits_only_so_long_for_the_other_sides_last_word",
    "REGISTRY_FILES_INTERVAL": "tests/daemon/test_registryfiles.py"
    "::test_files_are_looked_at_every_few_seconds",
    "REGISTRY_RETRY": "tests/daemon/test_registryhere.py"
    "::test_a_port_in_use_is_told_and_tried_again_while_the_agent_runs",
    "CERTIFICATE_NOTICE_DAYS": "tests/registry/test_tls.py::test_a_certificate_near_its_end_is_told_in_time",
    "POW_USED": _POW + "test_invariant_7_what_is_remembered_is_bounded_and_opens_nothing_twice",
    "POW_TRIES": _POW + "test_invariant_7_one_solution_is_good_for_a_few_tries_whatever_they_ask",
    "POW_FORGOTTEN": _POW + "test_few_expired_ones_are_forgotten_at_once",
    "POW_DIFFICULTY_MAX": _POW + "test_the_price_is_bounded",
    "POW_RISE": _POW + "test_the_price_is_bounded",
    "POW_EASY_RATE": _POW + "test_the_price_rises_with_load_and_falls_again",
    "POW_RATE_WINDOW": _POW + "test_the_price_rises_with_load_and_falls_again",
    "IDENTITIES": _STORE + "test_invariant_7_a_full_store_takes_no_new_handle_and_goes_on_with_what_it_has",
    "STORE_BYTES": _STORE + "test_invariant_7_a_full_store_takes_no_new_handle_and_goes_on_with_what_it_has",
    "STORE_MEMORY_BYTES": _STORE
    + "test_invariant_7_a_full_store_takes_no_new_handle_and_goes_on_with_what_it_has",
    "LOG_ENTRIES": _STORE + "test_invariant_7_a_log_ends_before_its_limit_and_a_revocation_still_fits",
    "LOG_KEPT_BYTES": _STORE + "test_invariant_7_a_log_of_large_keys_ends_earlier",
    "NODES_KEPT": _SQLITE
    + "test_invariant_7_no_more_nodes_are_held_than_the_limit_whatever_the_settings_say",
    "CONNECTIONS": "tests/registry/test_listener.py::test_invariant_7_connections_have_a_bound",
    "CONNECTIONS_PER_CLIENT": "tests/registry/test_listener.py"
    "::test_invariant_7_connections_from_one_address_are_few",
    "PEER_CLOCK_AHEAD": _PEERS + "test_invariant_1_what_was_signed_around_our_start_is_not_taken",
    "PEER_BUSY_PAUSE": _PEERS + "test_a_peer_that_asks_too_often_is_told_when_to_come_back",
}

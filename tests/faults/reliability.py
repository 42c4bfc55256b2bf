"""docs/reliability.md: what is promised, the test that holds each promise, and the figures of the last soak.

python tests/faults/reliability.py writes it; `make soak` does so with new figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[2]
FIGURES, PAGE = ROOT / "docs" / "reliability.json", ROOT / "docs" / "reliability.md"

KILLS, WORKERS, RESULTS = "faults/test_kills.py", "faults/test_workers.py", "faults/test_results_file.py"
CLUSTER, HOSTILE = "faults/test_cluster.py", "faults/test_hostile_input.py"
MERGE = "runner/merging/test_merge.py"
CHECKPOINT, RUN = "runner/training/test_checkpoint.py", "runner/test_run.py"
TEXTS, STORE, EDITED = "faults/test_hostile_texts.py", "runner/test_store.py", "faults/test_edited_files.py"
EXECUTORS, INTERRUPTS = "runner/test_executors.py", "runner/execution/test_interrupts.py"

# {what a user can rely on: the tests that hold it, as file below tests/ and names}
PROMISES: Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]] = {
    "A run that is stopped": {
        "Killed anywhere, the same command goes on to an undisturbed run's results, to the bit, and trains"
        " nothing again that was stored": ((KILLS, "test_a_run_that_is_killed_goes_on_to_the_same_results"),),
        "A stack that trains for longer than a minute goes on from a checkpoint, to the same bits": (
            (CHECKPOINT, "test_a_killed_process_goes_on_to_the_same_bits"),
            (CHECKPOINT, "test_a_stream_goes_on_to_the_same_bits"),
            (CHECKPOINT, "test_fixed_training_sets_go_on_to_the_same_bits"),
            (CHECKPOINT, "test_compiled_programs_go_on_to_the_same_bits"),
            (CHECKPOINT, "test_what_is_done_is_not_done_again"),
        ),
        "A checkpoint that is damaged or another's is left out with a warning; none runs code": (
            (CHECKPOINT, "test_a_damaged_file_is_left_out"),
            (CHECKPOINT, "test_a_file_that_was_tampered_with_is_left_out"),
            (CHECKPOINT, "test_a_file_of_another_stack_or_from_elsewhere_is_left_out"),
        ),
        "Ctrl-C keeps what has ended and exits with 130; twice it stops at once": (
            (RUN, "test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on"),
            (INTERRUPTS, "test_two_end_the_process_whatever_it_holds"),
            (INTERRUPTS, "test_one_within_a_held_block_is_raised_at_its_end_and_once"),
        ),
        "Workers end with the main process, however that ends": (
            (RUN, "test_workers_end_with_the_main_process"),
        ),
        "Neither a clock that is set back nor a folder that is moved changes a result": (
            (KILLS, "test_neither_a_clock_set_back_nor_another_place_changes_a_result"),
        ),
        "Two runs can't write to one folder": ((RUN, "test_a_second_run_on_one_folder_says_so_and_stops"),),
    },
    "A worker or a model that fails": {
        "A worker that is killed costs time alone": (
            (KILLS, "test_workers_that_are_killed_cost_time_alone"),
            (EXECUTORS, "test_a_stack_whose_worker_dies_once_is_run_once_more"),
        ),
        "A trial that ends its workers is found and recorded as failed with how they ended; others finish": (
            (WORKERS, "test_the_culprit_alone_fails_with_how_its_worker_ended"),
            (EXECUTORS, "test_a_trial_that_kills_its_workers_is_found_and_its_neighbours_finish"),
        ),
        "`--timeout` ends what hangs, with all that it has started, and records it as timed out": (
            (WORKERS, "test_what_hangs_is_timed_out_and_what_it_has_started_is_gone"),
        ),
        "Models that exit, raise, fork or return no numbers fail alone, with a reason": (
            (WORKERS, "test_exits_and_odd_outputs_are_failures_with_a_reason"),
            (WORKERS, "test_every_trial_is_accounted_for_and_the_sound_ones_have_numbers"),
        ),
        "What a model prints is bounded, can't steer the terminal and stays out of the results": (
            (WORKERS, "test_what_models_print_is_bounded_made_plain_and_kept_out_of_the_results"),
        ),
        "Editing the file of a model in mid-run changes nothing of that run": (
            (EDITED, "test_editing_files_in_mid_run_changes_nothing_of_that_run"),
            (EDITED, "test_a_file_that_is_edited_while_a_run_is_planned_is_named"),
        ),
        "A try that was cut short erases no numbers that are stored": (
            (STORE, "test_a_try_that_was_cut_short_erases_no_numbers"),
        ),
        "The next run tries again what the machine failed, and only that": (
            (WORKERS, "test_the_same_command_tries_again_what_the_machine_failed_and_only_that"),
        ),
    },
    "The results file": {
        "No flipped bit, in the file or its write-ahead log, changes a number or loses one without a word": (
            (RESULTS, "test_no_flipped_bit_of_the_log_loses_a_trial_without_a_word"),
            (RESULTS, "test_no_flipped_bit_changes_a_number_that_is_shown"),
            (RESULTS, "test_no_flipped_bit_changes_a_number_anywhere"),
        ),
        "A damaged file is set aside and never overwritten; what is whole in it is carried over": (
            (RESULTS, "test_a_damaged_file_is_set_aside_and_the_run_goes_on"),
            (RESULTS, "test_a_number_that_was_changed_costs_its_trial_alone"),
            (RESULTS, "test_a_second_damaged_file_has_a_name_of_its_own"),
            (RESULTS, "test_a_kill_while_a_file_is_set_aside_loses_and_mixes_nothing"),
            (RESULTS, "test_commands_that_read_name_the_damage_and_leave_the_file"),
        ),
        "On a full disk nothing that was stored is lost": (
            (RESULTS, "test_a_full_disk_is_told_and_loses_nothing_that_was_stored"),
            (RESULTS, "test_a_disk_that_is_really_full"),
            (RESULTS, "test_a_disk_that_is_full_while_a_file_is_mended"),
        ),
        "A locked file is waited for, then named; a read-only folder is told": (
            (RESULTS, "test_a_lock_of_a_moment_is_waited_for"),
            (RESULTS, "test_a_locked_file_is_named_and_what_was_stored_stays"),
            (RESULTS, "test_a_folder_that_may_only_be_read"),
        ),
        "A file of an older version is brought up to date and the old one kept, even if that is killed": (
            (RESULTS, "test_an_older_file_is_brought_up_to_date_and_kept"),
            (RESULTS, "test_a_kill_while_a_file_is_brought_up_to_date_leaves_a_whole_one"),
        ),
        "Other programs' files and those of newer versions are refused and left alone": (
            (RESULTS, "test_what_is_not_ours_is_left_alone"),
        ),
    },
    "Input from strangers": {
        "Names and suite files are taken or refused in one short line, in bounded time, and run no code": (
            (HOSTILE, "test_any_name_is_an_architecture_or_refused"),
            (HOSTILE, "test_any_name_is_a_task_or_refused"),
            (HOSTILE, "test_any_bytes_are_a_suite_or_refused"),
            (HOSTILE, "test_a_suite_file_runs_no_module_and_no_file_from_elsewhere"),
        ),
        "Names, titles and reasons are shown as the text that they are, wherever they are shown": (
            (TEXTS, "test_a_run_of_hostile_names_is_shown_as_the_text_that_it_is"),
            (TEXTS, "test_runs_of_any_names_are_shown_as_the_text_that_they_are"),
            (TEXTS, "test_cells_that_a_spreadsheet_would_run_are_text"),
            (TEXTS, "test_files_of_any_names_are_apart_and_in_their_folder"),
            (HOSTILE, "test_what_somebody_elses_code_says_steers_no_terminal_and_no_report"),
        ),
        "`runner merge` checks every trial, lists what doesn't fit and leaves it out": (
            (MERGE, "test_what_does_not_fit_is_listed"),
            (MERGE, "test_changed_bytes_cost_their_trial_alone"),
            (MERGE, "test_a_spec_of_a_name_of_ours_is_what_we_would_plan"),
            (MERGE, "test_a_strangers_name_runs_no_code"),
            (HOSTILE, "test_any_results_file_is_merged_where_it_fits"),
            (MERGE, "test_parts_of_a_run_make_the_whole_again"),
        ),
    },
    "A cluster": {
        "Results equal the local run's to the bit": (
            (CLUSTER, "test_results_equal_those_of_this_process_to_the_bit"),
        ),
        "A worker that is killed costs time alone; a stack that kills its workers is found": (
            (CLUSTER, "test_a_worker_killed_in_mid_run_costs_nothing_but_time"),
            (CLUSTER, "test_a_stack_that_kills_its_workers_is_told_from_the_others"),
            (CLUSTER, "test_an_answer_that_fails_on_its_way_is_computed_again"),
        ),
        "A worker with other versions gets nothing, and they are named": (
            (CLUSTER, "test_a_worker_with_other_versions_gets_nothing"),
        ),
        "A coordinator that is killed and started again goes on": (
            (CLUSTER, "test_a_coordinator_killed_and_started_again_goes_on"),
        ),
        "What came back before the scheduler went is stored; one line says that it went": (
            (CLUSTER, "test_what_came_back_before_the_scheduler_went_is_not_lost"),
            (CLUSTER, "test_a_command_whose_scheduler_goes_away_says_so_in_one_line"),
        ),
        "Own models given as files reach the workers, as they are now": (
            (CLUSTER, "test_files_of_somebodys_reach_the_workers_with_all_that_they_import"),
            (CLUSTER, "test_a_changed_file_is_run_as_it_is_now"),
        ),
    },
}


def page(figures: Mapping[str, Any]) -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for heading, promises in PROMISES.items():
        rows = [(promise, "<br>".join(map(_test, tests))) for promise, tests in promises.items()]
        table = tabulate(rows, headers=("promise", "held by"), tablefmt="github")
        parts.append(f"## {heading}\n\n{table}")
    return "\n\n".join([*parts, _figures(figures)]) + "\n"


def _test(test: tuple[str, str]) -> str:
    file, name = test
    return f"[`{name}`](../tests/{file})"


def _figures(figures: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in figures.items() if key != "inputs"}
    tried = {f"inputs tried: {target}": f"{count:,}" for target, count in figures["inputs"].items()}
    table = tabulate([*plain.items(), *tried.items()], headers=("of the last soak", ""), tablefmt="github")
    return f"{FOOT}\n\n{table}"


HEAD = """# What can be relied on, and what holds it

Made by `python tests/faults/reliability.py`; not to be edited. Each promise names the tests that inject the
fault for real: processes are killed, disks are full, bytes are flipped, workers have other versions.
`make test` runs all but the long ones, which `make test-long` does."""

FOOT = """## The last soak

`make soak MINUTES=60` kills runs and workers at random moments, gives the same command again until the run
has ended, and compares the results with those of a run that nobody disturbed, to the bit; a third of
the time it fuzzes what reads data. It ends at the first difference, traceback or harm, so these are all
survived."""


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(FIGURES.read_text(encoding="utf-8"))), encoding="utf-8")

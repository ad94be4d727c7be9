"""Sinks, deliveries: of these, replays of what was rescued exist by now.

| what goes wrong | test |
|---|---|
| two people press replay | forms/test_replay.py::test_two_threads_have_one_effect |
| the same while the first is under way | forms/test_replay.py::test_a_second_replay_while_the_first_still_runs_has_one_effect |
| the second sees the first one's result | admin/test_submissions.py::test_what_does_not_wait_is_not_replayed |
| a worker dies in mid-replay | forms/test_replay_killed.py::test_before_the_commit_nothing_has_happened_and_it_can_be_asked_for_again |
| the same just behind the commit | forms/test_replay_killed.py::test_after_the_commit_it_is_known_to_have_happened |
| the same where effect and outcome share no transaction | forms/test_replay_killed.py::test_without_a_shared_transaction_nobody_knows_and_nobody_tries |
| a worker that was slow, and not dead, comes back | forms/test_replay.py::test_a_claim_that_is_lost_takes_its_work_with_it |
| a poison submission blocks the queue | forms/test_replay.py::test_one_that_fails_does_not_block_the_others |
| it goes in circles | forms/test_replay.py::test_it_is_not_kept_once_more_nor_tried_by_itself |
| a view that ends the process takes all replays along | forms/test_replay.py::test_a_view_that_exits_does_not_end_all_replays |
| what may have taken effect is replayed all the same | forms/test_replay.py::test_in_doubt_it_is_replayed_by_a_person_alone |
| a double click is kept twice | forms/test_rescue.py::test_a_double_click_of_which_one_met_a_dead_database_is_one_row |
| it is replayed as somebody else | forms/test_recognising.py::test_a_session_that_has_ended_tells_nobody |
| it is replayed as somebody who may not any more | forms/test_replay.py::test_who_may_not_sign_in_any_more_does_nothing |
| the database is down when it is sent | live/test_kept.py::test_without_postgresql_the_form_is_served_and_what_is_sent_is_kept |
| the server is killed between the POST and its answer | live/test_kept.py::test_kill_9_loses_nothing_that_was_confirmed_on_sqlite |
| what visitors were told is not what is there | example/test_kept.py::test_what_is_confirmed_is_stored_or_kept_and_all_of_it_is_stored_in_the_end |

Not yet there: deliveries. Alerts have a table of their own.
"""  # noqa: E501

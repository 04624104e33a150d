"""The state machine of a part: what can happen, what can't, and that every way ends."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.states import (
    IN_WORK,
    INITIAL,
    OPEN,
    TERMINAL,
    TRANSITIONS,
    Event,
    ImpossibleTransition,
    State,
    after,
    leads_to,
)

PAIRS = [(state, event) for state in State for event in Event]


def walk(events: list[Event]) -> list[State]:
    """Where events bring a part; those that can't happen where it is, don't."""
    way = [INITIAL]
    for event in events:
        if (way[-1], event) in TRANSITIONS:
            way.append(after(way[-1], event))
    return way


walks = st.lists(st.sampled_from(Event), max_size=40).map(walk)


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_only_what_is_in_the_table_happens(state: State, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert after(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(ImpossibleTransition, match=f"{state} knows no event {event}"):
            after(state, event)


def test_what_has_ended_never_begins_again() -> None:
    assert not any(leads_to(state, other) for state in TERMINAL for other in State)
    assert {state for state, _ in TRANSITIONS} == OPEN


@pytest.mark.parametrize("state", sorted(State))
def test_every_state_comes_from_the_first_and_every_open_one_can_be_delivered(state: State) -> None:
    assert state is INITIAL or leads_to(INITIAL, state)
    assert leads_to(state, State.DELIVERED) is (state in OPEN)


@given(walks)
def test_ways_are_what_events_make_of_them(way: list[State]) -> None:
    for before, later in pairwise(way):
        assert leads_to(before, later)
    assert all(leads_to(way[i], way[j]) for i in range(len(way)) for j in range(i + 1, len(way)))


@given(walks)
def test_nothing_is_delivered_that_was_not_treated_and_sent(way: list[State]) -> None:
    if way[-1] is State.DELIVERED:
        assert way[-3:-1] == [State.TRANSFORMING, State.DELIVERING]


@given(walks)
def test_rules_are_asked_anew_for_each_attempt(way: list[State]) -> None:
    for before, later in pairwise(way):
        if before is State.WAITING:
            assert later in {State.TRANSFORMING, State.ROUTED, State.EXCLUDED}
        if later is State.DELIVERING:
            assert before is State.TRANSFORMING


@pytest.mark.parametrize("event", [Event.DROP, Event.REPLACE, Event.RETRY])
def test_nobody_takes_a_part_out_of_a_lane_s_hands(event: Event) -> None:
    assert not any((state, event) in TRANSITIONS for state in IN_WORK)


def test_what_was_in_work_at_a_crash_is_due_again() -> None:
    assert {state for state, event in TRANSITIONS if event is Event.RESUME} == IN_WORK
    assert {TRANSITIONS[state, Event.RESUME] for state in IN_WORK} == {State.ROUTED}

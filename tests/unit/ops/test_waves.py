"""The waves of a fleet's runs: canary, limit and stop hold for every fleet, every failure and every order of ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from ops.fleet.waves import Plan, ready


@dataclass
class Course:
    """One course of a plan: which stacks began, in which order, with how many others, and after which failures."""

    plan: Plan
    began: list[str] = field(default_factory=list[str])
    at_once: int = 0
    began_after_failure: list[str] = field(default_factory=list[str])
    canary_had_company: bool = False


def course_of(plan: Plan, broken: set[str], picks: list[int]) -> Course:
    """Run the plan to its end; `picks` says which of the running ones ends next."""
    course, running, ended = Course(plan), list[str](), dict[str, bool]()
    while True:
        for stack in ready(plan, running, ended):
            course.began.append(stack)
            running.append(stack)
            if not all(ended.values()):
                course.began_after_failure.append(stack)
        if not running:
            return course
        course.at_once = max(course.at_once, len(running))
        course.canary_had_company |= not ended and len(running) > 1
        stack = running.pop(picks.pop(0) % len(running) if picks else 0)
        ended[stack] = stack not in broken


STACKS = st.lists(st.integers(0, 40).map(lambda number: f"h{number}"), min_size=1, max_size=20, unique=True)
PICKS = st.lists(st.integers(0, 100), max_size=20)


@given(stacks=STACKS, at_once=st.integers(1, 25), picks=PICKS, data=st.data())
def test_the_canary_is_alone_the_limit_holds_and_a_failure_starts_no_further_run(
    stacks: list[str], at_once: int, picks: list[int], data: st.DataObject
) -> None:
    broken = data.draw(st.sets(st.sampled_from(stacks)))
    course = course_of(Plan(tuple(stacks), at_once, canary=True), broken, picks)
    assert course.began == stacks[: len(course.began)]
    assert course.at_once <= at_once and not course.canary_had_company
    assert course.began_after_failure == []
    if not broken:
        assert course.began == stacks and course.at_once == max(1, min(at_once, len(stacks) - 1))
    if stacks[0] in broken:
        assert course.began == stacks[:1]


@given(stacks=STACKS, at_once=st.integers(1, 25), picks=PICKS, data=st.data())
def test_without_a_canary_every_stack_runs_whatever_becomes_of_the_others(
    stacks: list[str], at_once: int, picks: list[int], data: st.DataObject
) -> None:
    broken = data.draw(st.sets(st.sampled_from(stacks)))
    course = course_of(Plan(tuple(stacks), at_once, canary=False), broken, picks)
    assert course.began == stacks and course.at_once == min(at_once, len(stacks))

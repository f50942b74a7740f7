"""What happens in a round goes as the contract says: many dense stories, beside the model."""

import random
import sys
from dataclasses import replace

import pytest
from hypothesis import settings

from tests.model.machine import Houses
from tests.model.stories import Step, Story, live, shortened, tell

STORIES_FOR_EXAMPLE = 4
"""so many stories for each example that a profile asks for: 12,000 in the thorough one"""

STORIES_ORDINARY = 60
"""In every run, since a story takes an eighth of a second; see `make test-thorough`."""


def difference(houses: Houses, story: Story) -> str | None:
    """Return where service and model differ; None: nowhere."""
    try:
        live(houses, story)
    except AssertionError as error:
        return str(error)
    return None


@pytest.mark.timeout(3600)
def test_stories_go_as_the_contract_says(houses: Houses) -> None:
    """`--hypothesis-profile=thorough -s` tells more of them, and what was seen."""
    examples = settings().max_examples
    is_thorough = examples > settings.get_profile("ordinary").max_examples
    for _ in range(examples * STORIES_FOR_EXAMPLE if is_thorough else STORIES_ORDINARY):
        story = tell(random.Random(random.getrandbits(64)))  # noqa: S311 — a simulation
        if difference(houses, story) is not None:
            short = shortened(story, lambda one: difference(houses, one) is not None)
            steps = "\n".join(f"  {step}" for step in short.steps)
            pytest.fail(f"{replace(short, steps=())}\n{steps}\n{difference(houses, short)}")
    sys.stdout.write(
        f"{houses.answers.total()} answers compared: {sorted(houses.answers.items())}\n"
    )
    assert houses.answers["SportBetCancel 0"] > 0
    for method in ("make", "win", "lost", "refund", "rollback", "discard"):
        assert houses.answers[f"{method} 0"] > 0


def test_a_false_story_becomes_short() -> None:
    story = tell(random.Random(1))  # noqa: S311 — a simulation
    needed = (Step("bet", 3), Step("abort", 4, "e2"))
    steps = story.steps
    long = replace(story, steps=(*steps, needed[0], *steps, needed[1], *steps), limits={})
    short = shortened(long, lambda one: set(needed) <= set(one.steps))
    assert sorted(short.steps) == sorted(needed)
    assert (short.real, short.bonus) == (None, None)

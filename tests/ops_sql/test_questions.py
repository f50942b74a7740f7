"""`docs/ops.md` is true: every question is asked again, as operations ask it."""

import re
from typing import Final

import pytest

from tests.ops_sql.conftest import Psql
from tests.ops_sql.questions import PAGE, Question, questions

ASKED = questions()


PROTECTION: Final = 22
"""The first question about player protection; they are asked of the other story."""

PROTECTION_END: Final = 43
"""The last one of them."""

SPORT: Final = 46
"""The first question about the sportsbook; these are asked of a third story."""


def test_there_are_sixty_five_questions_in_order() -> None:
    assert [question.number for question in ASKED] == list(range(1, 66))


@pytest.mark.parametrize("question", ASKED, ids=lambda q: f"{q.number:02}")
def test_the_answer_is_still_the_answer(request: pytest.FixtureRequest, question: Question) -> None:
    story = "protected" if PROTECTION <= question.number <= PROTECTION_END else "told"
    story = "sporting" if question.number >= SPORT else story
    psql = Psql(request.getfixturevalue(story))
    printed = "\n".join(line.rstrip() for line in psql.says(question.statement).splitlines())
    assert printed == question.answer, question.words


def test_every_view_is_on_the_page(psql: Psql) -> None:
    views = {row[0] for row in psql.rows("SELECT viewname FROM pg_views WHERE schemaname = 'ops'")}
    named = set(re.findall(r"\bops\.([a-z_]+)", PAGE.read_text(encoding="utf-8")))
    assert views <= named
    assert named - views <= {"md"}

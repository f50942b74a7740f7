"""Figures that many look at are computed once, and the more seldom the longer they take."""

from app.backoffice.figures import PAUSE, SECOND, Figures


class Slow:
    """Counts how often it was asked; each time takes so many seconds of its own clock."""

    def __init__(self, takes: float) -> None:
        self.now, self.asked, self.takes = 0.0, 0, takes

    async def compute(self) -> int:
        self.asked += 1
        self.now += self.takes
        return self.asked

    def figures(self) -> Figures[int]:
        return Figures(
            self.compute, fresh_seconds=5, shown_seconds=60, clock=lambda: int(self.now * SECOND)
        )


async def looked(slow: Slow, figures: Figures[int], *, at: float) -> int:
    slow.now = at
    told = await figures.get()
    if figures._computing is not None:
        await figures._computing
    return told


async def test_figures_are_computed_once_for_all_who_look_within_their_time() -> None:
    slow = Slow(0.01)
    figures = slow.figures()
    assert [await looked(slow, figures, at=second) for second in (0, 1, 4.9)] == [1, 1, 1]
    assert slow.asked == 1


async def test_old_figures_are_shown_once_more_while_new_ones_are_computed() -> None:
    slow = Slow(0.01)
    figures = slow.figures()
    assert [await looked(slow, figures, at=second) for second in (0, 6, 7)] == [1, 1, 2]


async def test_figures_beyond_their_bound_are_waited_for() -> None:
    slow = Slow(0.01)
    figures = slow.figures()
    assert [await looked(slow, figures, at=second) for second in (0, 61)] == [1, 2]


async def test_what_takes_long_is_computed_more_seldom() -> None:
    slow = Slow(1)
    figures = slow.figures()
    for second in (0, 6, PAUSE - 1):
        assert await looked(slow, figures, at=second) == 1
    assert slow.asked == 1
    await looked(slow, figures, at=PAUSE)
    assert slow.asked == 2

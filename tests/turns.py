"""Which worker runs what, and when: one file at a time, and of long ones one test.

A file's tests go to one worker, so that what they share is made once: a server, a browser, a played
ledger. Files with many tests come first, and single tests last, the longest of them first: so no
worker is left alone with a long one.
"""

from typing import Final

from typing_extensions import override
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.long import turn

PLAY_WITH_THE_DEMO: Final = ("tests/console/test_demo.py", "tests/console/test_game_side.py")
"""One demo is served for both."""


class Turns(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out files, and single tests of the files that take long."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        if turn(nodeid) >= 0:
            return nodeid
        file = nodeid.partition("::")[0]
        return "the demo" if file in PLAY_WITH_THE_DEMO else file

"""A seal is told to the file outside once the synchronous standby has it.

No wallet is served here: its own commits would wait as well, and be taken for those of the seal.
"""

import asyncio
from pathlib import Path

from app.cashier.sealing import Sealer, read_seals, seal
from app.postgres.cluster import SERVICE
from app.proof.keys import make_key
from tests.standby.pair import Pair


async def test_no_seal_comes_into_the_file_outside_before_the_standby_has_it(
    pair: Pair, tmp_path: Path
) -> None:
    """A promotion would lose it, and whoever held the file against the ledger would miss it."""
    sealer, url = Sealer(make_key(tmp_path / "key.pem"), tmp_path / "seals.jsonl"), pair.url_for
    before = await seal(url(SERVICE), sealer)
    assert before is not None
    pair.standby.freeze()
    sealing = asyncio.create_task(seal(url(SERVICE), sealer))
    for _ in range(200):
        if pair.commits_waiting():
            break
        await asyncio.sleep(0.02)
    sealing.cancel()
    await asyncio.wait([sealing], timeout=1)
    assert sealing.cancelled(), "who stops the service waits for no standby"
    assert pair.commits_waiting() > 0
    assert pair.given_up() == []
    assert len(read_seals(sealer.file)) == 1

    # A restart shows the row, and the next look finds it; its commit waits, too.
    pair.primary.kill()
    pair.primary.start()
    looking = asyncio.create_task(seal(url(SERVICE), sealer, older_than=before.sealed_at))
    for _ in range(200):
        if pair.commits_waiting():
            break
        await asyncio.sleep(0.02)
    assert len(read_seals(sealer.file)) == 1
    pair.standby.thaw()
    async with asyncio.timeout(20):
        assert await looking is None
    assert [each.seal.number for each in read_seals(sealer.file)] == [1, 2]

"""The embedded server, really started, joined, killed and started again."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import asyncpg
import pytest

from app.postgres import EmbeddedPostgres, PostgresError, child, process
from app.postgres.binaries import Binaries, find_binaries
from app.postgres.cluster import OPS, OWNER, SERVICE, SUPERUSER, Cluster
from app.postgres.locks import FileLock
from app.postgres.running import read_running
from tests.data_folders import copy_made

ROLES = (OWNER, SERVICE, OPS)

HOLD = """
import sys, time
from pathlib import Path
from app.postgres import EmbeddedPostgres
server = EmbeddedPostgres.start_or_join(Path(sys.argv[1]), fsync=False)
print("joined" if server.joined else "started", flush=True)
sys.stdin.read()
server.stop(wait_for_users_seconds=10)
"""


@pytest.fixture
def new_dir(tmp_path: Path) -> Path:
    """A data folder that is not there yet: its cluster is made by the test."""
    return tmp_path / "data"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder whose cluster was made before."""
    copy_made(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def others() -> Iterator[list[subprocess.Popen[str]]]:
    """Other processes, none of which outlives its test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for other in processes:
        other.kill()
        with other:  # Its pipes are closed, and it is waited for.
            pass


def start(data_dir: Path, **options: object) -> EmbeddedPostgres:
    return EmbeddedPostgres.start_or_join(data_dir, fsync=False, **options)  # type: ignore[arg-type]


def hold(others: list[subprocess.Popen[str]], data_dir: Path) -> subprocess.Popen[str]:
    """Start or join in another process, which holds on until its input is closed."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    others.append(other)
    return other


def said(other: subprocess.Popen[str]) -> str:
    assert other.stdout is not None
    return other.stdout.readline().strip()


def release(other: subprocess.Popen[str]) -> None:
    assert other.stdin is not None
    other.stdin.close()


def ask(server: EmbeddedPostgres, statement: str, role: str = OWNER) -> object:
    """Ask one question in the database `wallet`."""

    async def asked() -> object:
        url = server.url_for(role).replace("postgresql+asyncpg:", "postgresql:")
        connection = await asyncpg.connect(url, timeout=10)
        try:
            answer: object = await connection.fetchval(statement)
            return answer
        finally:
            await connection.close()

    return asyncio.run(asked())


def server_pid(data_dir: Path) -> int:
    (cluster_dir,) = data_dir.glob("postgres-*/")
    running = read_running(cluster_dir)
    assert running is not None
    return running.pid


def wait_until_gone(pid: int) -> None:
    for _ in range(500):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail(f"process {pid} is still there")


def test_it_starts_stops_and_finds_its_data_again(new_dir: Path) -> None:
    with start(new_dir) as server:
        assert not server.joined
        ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
        pid = server_pid(new_dir)
    wait_until_gone(pid)
    with start(new_dir) as server:
        assert ask(server, "SELECT number FROM kept") == 7


def test_the_service_owns_nothing_and_ops_only_reads(data_dir: Path) -> None:
    with start(data_dir) as server:
        for role in ROLES:
            assert ask(server, "SELECT current_user::text", role) == role
            superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            assert ask(server, superuser, role) is False
        ask(server, "CREATE TABLE owned (number integer)", OWNER)
        owner = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = 'wallet'"
        assert ask(server, owner) == OWNER
        for role in (SERVICE, OPS):
            for statement in ("CREATE TABLE mine ()", "SELECT * FROM owned", "DROP TABLE owned"):
                with pytest.raises(
                    (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)
                ):
                    ask(server, statement, role)
        assert ask(server, "SHOW default_transaction_read_only", OPS) == "on"


def test_what_is_answered_is_on_the_disk_unless_a_test_says_otherwise(data_dir: Path) -> None:
    with EmbeddedPostgres.start_or_join(data_dir) as server:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert ask(server, f"SHOW {name}") == "on"
        assert ask(server, "SHOW max_pred_locks_per_transaction") == "2048"
        assert ask(server, "SHOW max_pred_locks_per_page") == "500"
        assert ask(server, "SHOW server_encoding") == "UTF8"
        assert ask(server, "SELECT datcollate FROM pg_database WHERE datname = 'wallet'") == "C"
    with start(data_dir) as server:
        assert ask(server, "SHOW fsync") == "off"


def test_only_its_user_can_enter_the_socket_folder(data_dir: Path) -> None:
    with start(data_dir):
        assert (data_dir / "socket").stat().st_mode & 0o777 == 0o700
        assert data_dir.stat().st_mode & 0o077 == 0


def test_the_psql_command_is_ready_to_paste(data_dir: Path) -> None:
    with start(data_dir) as server:
        command = [*shlex.split(server.psql_command(OPS)), "-Atc", "SELECT current_user"]
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=30)
        assert done.stdout == "wallet_ops\n"


def test_a_data_folder_with_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    long = tmp_path / ("d" * 60) / ("e" * 60)
    copy_made(long)
    with start(long) as server:
        host = server.psql_command(OWNER).split("-h ")[1].split(" ")[0]
        assert len(host) < 80
        assert Path(host).stat().st_mode & 0o777 == 0o700
        assert ask(server, "SELECT 1") == 1
        with start(long) as joined:
            assert joined.joined
            assert ask(joined, "SELECT 1") == 1
    assert not Path(host).exists()


def test_a_path_with_every_awkward_character_works(tmp_path: Path) -> None:
    awkward = tmp_path / "a b,c'd\"é%#?:;"
    with start(awkward) as server:
        assert ask(server, "SELECT 1") == 1
        command = [*shlex.split(server.psql_command(OPS)), "-Atc", "SELECT 1"]
        assert (
            subprocess.run(command, capture_output=True, check=False, timeout=30).stdout == b"1\n"
        )
        with start(awkward) as joined:
            assert joined.joined
            assert ask(joined, "SELECT 1") == 1


def test_without_unix_sockets_a_loopback_port_asks_for_a_password(data_dir: Path) -> None:
    with start(data_dir, loopback=True) as server:
        assert "@127.0.0.1:" in server.url_for(OWNER)
        assert ask(server, "SELECT 1") == 1
        url = server.url_for(OWNER)
        password = url.split("wallet_owner:")[1].split("@")[0]
        wrong = url.replace(password, "wrong").replace("+asyncpg", "")
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(asyncpg.connect(wrong))
        command = server.psql_command(OPS)
        assert password not in command
        done = subprocess.run([*shlex.split(command), "-Atc", "SELECT 1"], check=False, timeout=30)
        assert done.returncode == 0
        with start(data_dir) as joined:
            assert joined.joined
            assert ask(joined, "SELECT 1") == 1


def test_whoever_joins_does_not_stop_it(data_dir: Path) -> None:
    with start(data_dir) as server:
        with start(data_dir) as joined:
            assert joined.joined
            assert ask(joined, "SELECT 1") == 1
        assert ask(server, "SELECT 1") == 1


def test_of_many_who_start_at_once_one_starts_and_the_others_join(
    new_dir: Path, others: list[subprocess.Popen[str]]
) -> None:
    processes = [hold(others, new_dir) for _ in range(4)]
    assert sorted(said(process) for process in processes) == ["joined"] * 3 + ["started"]


def test_an_owner_who_is_done_lets_the_joined_finish(
    data_dir: Path, others: list[subprocess.Popen[str]]
) -> None:
    owner = hold(others, data_dir)
    assert said(owner) == "started"
    with start(data_dir) as joined:
        release(owner)
        time.sleep(0.3)
        assert owner.poll() is None
        assert ask(joined, "SELECT 1") == 1
    assert owner.wait(20) == 0


def test_who_wants_to_own_it_waits_for_the_owner_to_finish(
    data_dir: Path, others: list[subprocess.Popen[str]]
) -> None:
    other = hold(others, data_dir)
    assert said(other) == "started"
    threading.Timer(0.5, release, [other]).start()
    with start(data_dir, own=True) as server:
        assert not server.joined
        assert ask(server, "SELECT 1") == 1


def test_who_wants_to_own_a_server_that_stays_is_told_who_has_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.postgres.embedded.START_SECONDS_MAX", 1)
    said: list[str] = []
    with start(data_dir), pytest.raises(PostgresError, match="run by another process"):
        start(data_dir, own=True, say=said.append)
    (sentence,) = said
    assert f"process {os.getpid()}" in sentence
    assert "waiting up to 1 seconds" in sentence


def test_who_waits_for_somebody_elses_start_is_told(data_dir: Path) -> None:
    with start(data_dir) as server:
        lock = FileLock(next(data_dir.glob("*.start.lock")))
        assert lock.exclusive(0)
        threading.Timer(0.5, lock.close).start()
        said: list[str] = []
        with start(data_dir, say=said.append) as joined:
            assert joined.joined
        assert said == [
            f"Another process is starting PostgreSQL in {server.data_dir}: waiting for it."
        ]


def test_a_killed_server_recovers_at_the_next_start(data_dir: Path) -> None:
    server = start(data_dir)
    ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(server_pid(data_dir), signal.SIGKILL)
    with start(data_dir) as again:
        assert not again.joined
        assert ask(again, "SELECT number FROM kept") == 7
    server.stop()


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)
def test_a_killed_wallet_leaves_no_server_behind(
    data_dir: Path, others: list[subprocess.Popen[str]]
) -> None:
    owner = hold(others, data_dir)
    assert said(owner) == "started"
    pid = server_pid(data_dir)
    owner.kill()
    owner.wait(10)
    with start(data_dir) as server:
        assert not server.joined
        assert ask(server, "SELECT 1") == 1
    wait_until_gone(pid)


def test_both_killed_at_once_recover_too(
    data_dir: Path, others: list[subprocess.Popen[str]]
) -> None:
    owner = hold(others, data_dir)
    assert said(owner) == "started"
    with start(data_dir) as joined:
        ask(joined, "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(server_pid(data_dir), signal.SIGKILL)
    owner.kill()
    with start(data_dir) as server:
        assert ask(server, "SELECT number FROM kept") == 7


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a number is all there is to go by")
def test_a_note_with_somebody_elses_number_does_not_stop_the_start(data_dir: Path) -> None:
    with start(data_dir):
        notes = [*data_dir.glob("postgres-*/postmaster.pid"), *data_dir.glob("socket/*.lock")]
        assert len(notes) == 2
        left = {note: note.read_text(encoding="utf-8").split("\n") for note in notes}
    for note, lines in left.items():
        note.write_text("\n".join([str(os.getpid()), *lines[1:]]), encoding="utf-8")
    with start(data_dir) as server:
        assert ask(server, "SELECT 1") == 1


def test_a_half_made_cluster_is_made_anew(data_dir: Path) -> None:
    with start(data_dir) as server:
        name = server.log_file.name.removesuffix(".log")
    (data_dir / name).rename(data_dir / f"{name}.making-0000")
    (data_dir / f"{name}.making-0000" / "PG_VERSION").unlink()
    with start(data_dir) as server:
        assert ask(server, "SELECT 1") == 1
    assert not list(data_dir.glob("*.making-*"))


def test_it_lives_on_when_the_thread_that_started_it_ends(data_dir: Path) -> None:
    servers: list[EmbeddedPostgres] = []
    starter = threading.Thread(target=lambda: servers.append(start(data_dir)))
    starter.start()
    starter.join()
    time.sleep(0.2)
    assert ask(servers[0], "SELECT 1") == 1
    servers[0].stop()


def test_a_server_that_does_not_start_is_told_with_its_log(data_dir: Path) -> None:
    with pytest.raises(PostgresError, match=r"did not start.*no_such_setting"):
        start(data_dir, settings={"no_such_setting": "1"})
    with start(data_dir) as server:
        assert ask(server, "SELECT 1") == 1


def told(data_dir: Path) -> str:
    """The one sentence that a start on this folder ends with."""
    with pytest.raises(PostgresError) as refused:
        start(data_dir)
    sentence = str(refused.value)
    assert sentence.startswith(f"The data folder {data_dir}")
    assert sentence.endswith("WALLET_DATABASE_URL.")
    assert "\n" not in sentence
    return sentence


def test_a_data_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "not a directory" in told(tmp_path / "file" / "data")
    assert "file exists" in told(tmp_path / "file")
    assert "name too long" in told(tmp_path / ("x" * 300))
    assert "no such home folder" in told(Path("~nobody-of-this-name/x"))


def test_links_that_lead_to_each_other_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert "loop of links" in told(tmp_path / "a")


AS_NOBODY = """
import os, sys
from pathlib import Path
from app.postgres import EmbeddedPostgres, PostgresError
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    EmbeddedPostgres.start_or_join(Path(sys.argv[1]), fsync=False)
except PostgresError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_folder_of_somebody_else_is_told_with_its_owner(data_dir: Path) -> None:
    if process.run_as() != child.NAMESPACE:
        pytest.skip("no user namespace here, so every start is by root itself")
    with start(data_dir):
        pass
    # Everything above lets others in, as an ordinary home does.
    for folder in (data_dir, *data_dir.parents):
        if folder.stat().st_mode & 0o011 != 0o011:
            folder.chmod(folder.stat().st_mode | 0o055)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(data_dir)], capture_output=True, check=False,
        text=True, timeout=50,
    )  # fmt: skip
    assert "it belongs to root" in done.stdout, done.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a file system that only reads")
def test_a_folder_where_nothing_can_be_written_is_told() -> None:
    assert "cannot be made" in told(Path("/proc/wallet"))


def test_the_log_names_no_content_of_a_row(data_dir: Path) -> None:
    with start(data_dir) as server:
        ask(server, "CREATE TABLE secret (number text CHECK (number <> 'a-secret'))")

        async def violate() -> None:
            url = server.url_for(OWNER).replace("+asyncpg", "")
            connection = await asyncpg.connect(url)
            try:
                with pytest.raises(asyncpg.CheckViolationError):
                    await connection.execute("INSERT INTO secret VALUES ($1)", "a-secret")
            finally:
                await connection.close()

        asyncio.run(violate())
        log = server.log_file.read_text(encoding="utf-8")
    assert "violates check constraint" in log
    assert "a-secret" not in log


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give itself up")
class TestAsRoot:
    def test_the_server_does_not_run_as_root(self, data_dir: Path) -> None:
        with start(data_dir) as server:
            assert process.run_as() in {child.NAMESPACE, child.NOBODY}
            assert ask(server, "SELECT 1") == 1

    def test_where_there_is_no_namespace_it_runs_as_nobody(self) -> None:
        made = subprocess.run(["mktemp", "-d"], capture_output=True, check=True, text=True)
        folder = Path(made.stdout.strip())
        try:
            # Only root may enter it, as with /root.
            assert folder.stat().st_mode & 0o077 == 0
            data_dir = folder / "data"
            with start(data_dir, identity=child.NOBODY) as server:
                ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
                owner = Path(f"/proc/{server_pid(data_dir)}").stat().st_uid
                assert owner == child.NOBODY_ID
            # The same data, however the next start gives up root.
            with start(data_dir) as server:
                assert ask(server, "SELECT number FROM kept") == 7
            with start(data_dir, identity=child.NOBODY) as server:
                assert ask(server, "SELECT number FROM kept") == 7
        finally:
            subprocess.run(["rm", "-rf", str(folder)], check=True)

    def test_a_checkout_that_only_root_may_enter_is_no_obstacle(self, tmp_path: Path) -> None:
        """Programs and data below a closed folder, as a checkout in /root has them."""
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        found = find_binaries(closed)
        # The wheel's libraries lie beside its package, two folders up.
        package = found.folder.parents[1]
        inside = closed / package.name / found.folder.parent.name
        shutil.copytree(found.folder.parent, inside, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, closed / libraries.name, symlinks=True)
        data_dir = closed / "data"
        data_dir.mkdir(mode=0o700)
        cluster = Cluster(data_dir, Binaries(inside / "bin", found.major))
        with EmbeddedPostgres._start_or_join(
            cluster, child.NOBODY, fsync=False, own=True, loopback=False, settings={}, say=print
        ) as server:
            assert ask(server, "SELECT 1") == 1
            owner = Path(f"/proc/{server_pid(data_dir)}").stat().st_uid
            assert owner == child.NOBODY_ID
        assert closed.stat().st_mode & 0o077 == 0

    def test_nobody_keeps_no_more_of_root_than_the_way_to_its_files(self, tmp_path: Path) -> None:
        closed, opened = tmp_path / "closed", tmp_path / "opened"
        for folder in (closed, opened):
            folder.mkdir()
            shutil.copy("/bin/cat", folder / "cat")
        closed.chmod(0o700)
        status = "/proc/self/status"
        done = self.as_nobody(str(closed / "cat"), status)
        kept = int(re.findall(r"CapEff:\t(\w+)", done.stdout)[0], 16)
        assert kept in {1 << number for number in child.PASSING_THROUGH}, done.stderr
        assert re.findall(r"Uid:\t(\d+)\t(\d+)", done.stdout) == [("65534", "65534")]
        # Where the way is open, nothing is kept.
        done = self.as_nobody("/bin/cat", status)
        assert re.findall(r"CapEff:\t(\w+)", done.stdout) == ["0" * 16]

    def test_without_that_capability_it_says_what_to_do(self, tmp_path: Path) -> None:
        program = tmp_path / "cat"
        shutil.copy("/bin/cat", program)
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("setpriv is not installed here")
        without = [setpriv, "--bounding-set=-dac_read_search,-dac_override",
                   "--inh-caps=-all", "--ambient-caps=-all"]  # fmt: skip
        done = self.as_nobody(str(program), "/dev/null", before=without)
        assert done.returncode == 1
        assert str(program) in done.stderr
        assert "as an ordinary user" in done.stderr
        assert "Traceback" not in done.stderr

    @staticmethod
    def as_nobody(*command: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        parent = "import os, sys, subprocess; sys.exit(subprocess.call([sys.executable, '-I', "
        parent += "sys.argv[1], 'nobody', str(os.getpid()), *sys.argv[2:]]))"
        return subprocess.run(
            [*before, sys.executable, "-c", parent, child.__file__, *command],
            capture_output=True, check=False, text=True, timeout=30,
        )  # fmt: skip

    def test_an_ordinary_user_needs_none_of_this(self, new_dir: Path) -> None:
        """A whole start as an ordinary user, which the namespace makes of root."""
        if process.run_as() != child.NAMESPACE:
            pytest.skip("no user namespace here")  # the fallback is tested above
        script = HOLD.replace("sys.stdin.read()", "import os; print(os.geteuid())")
        command = [sys.executable, "-c", script, str(new_dir)]
        done = subprocess.run(
            [sys.executable, child.__file__, child.NAMESPACE, str(os.getpid()), *command],
            capture_output=True,
            check=False,
            text=True,
            timeout=50,
        )
        assert done.stdout.split() == ["started", str(child.INNER_ID)], done.stderr


def test_superuser_is_there_for_fixtures(data_dir: Path) -> None:
    with start(data_dir) as server:
        assert ask(server, "SHOW is_superuser", SUPERUSER) == "on"

"""A backup is worth what a restore has shown: disasters under load, and every acknowledged write accounted for."""

import contextlib
import pathlib
import re

import pytest

import drill

SCENARIOS = ("dropped", "destroyed")


@pytest.fixture(scope="module", params=SCENARIOS)
def restored(request, tmp_path_factory):
    """A drill that ran to its end, with its record."""
    directory = tmp_path_factory.mktemp(request.param)
    done = drill.run("--seconds", "1", "--record", directory, request.param)
    assert done.returncode == 0, done.stderr
    return drill.Record(directory)


def test_writes_were_acknowledged_before_the_point_of_recovery(restored):
    assert len(restored.due()) > 20
    assert restored.point <= restored.disaster


# Half a second lies between the point and the drop. A destroyed server may have archived its last write just before.
@pytest.mark.parametrize("restored", ["dropped"], indirect=True)
def test_writes_were_acknowledged_after_the_point_of_recovery(restored):
    assert [write for write in restored.writes if write.sent > restored.point]


def test_no_write_that_was_acknowledged_by_the_point_of_recovery_is_missing(restored):
    assert restored.missing() == []


def test_no_write_that_was_sent_after_the_point_of_recovery_is_there(restored):
    assert restored.too_new() == []


def test_no_item_is_there_twice_and_none_out_of_nothing(restored):
    assert len(set(restored.items)) == len(restored.items)
    # A write in flight at the disaster may be present although it was not acknowledged.
    unknown = set(restored.items) - {write.name for write in restored.writes} - {"first after the restore"}
    assert all(re.fullmatch(r"writer-[0-9]+-item-[0-9]+", name) for name in unknown)
    assert len(unknown) <= 2


def test_the_restored_service_takes_new_items(restored):
    assert "first after the restore" in restored.items


@pytest.mark.parametrize("restored", ["dropped"], indirect=True)
def test_after_a_drop_at_most_one_second_of_writes_is_lost(restored):
    assert restored.disaster - restored.point < 1
    assert all(write.acknowledged > restored.point for write in restored.lost())


@pytest.mark.parametrize("restored", ["destroyed"], indirect=True)
def test_after_a_destroyed_server_only_unarchived_writes_are_lost(restored):
    # The timeout, looked at once a second, the copy of a segment, and as much again on a busy machine.
    allowed = 2 * (float(restored.figures["archive_timeout"]) + 1.5)
    assert restored.disaster - restored.point < allowed
    assert all(write.acknowledged > restored.point for write in restored.lost())


def test_the_figures_are_those_of_the_record(restored):
    figures = restored.figures
    assert int(figures["acknowledged"]) == len(restored.writes)
    assert int(figures["acknowledged_by_point"]) == len(restored.due())
    assert int(figures["lost"]) == len(restored.lost())
    assert float(figures["rpo_seconds"]) == pytest.approx(restored.disaster - restored.point, abs=0.02)
    parts = [float(figures[f"rto_{part}_seconds"]) for part in ("archive", "copy", "recovery", "service")]
    assert float(figures["rto_seconds"]) == pytest.approx(sum(parts), abs=0.05)


# The drill itself has to fail when the restore does.


@pytest.fixture
def changed(tmp_path):
    """A copy of the drill with one line changed."""

    def changed(old, new):
        text = drill.DRILL.read_text()
        assert text.count(old) == 1, old
        copy = tmp_path / "deploy/restore-drill"
        copy.parent.mkdir()
        copy.write_text(text.replace(old, new))
        copy.chmod(0o755)
        (tmp_path / "scripts").symlink_to(drill.ROOT / "scripts")
        return copy

    return changed


def test_a_restore_to_too_early_a_moment_is_a_failure(changed):
    early = changed('date --date "@$target"', 'date --date "@$((target - 1))"')
    done = drill.run("--seconds", "2", "--writers", "1", drill=early)
    assert done.returncode == 1, done.stderr
    assert re.search(r"[1-9]\d* writes are missing that were acknowledged before", done.stderr)


def test_an_archive_with_a_gap_is_a_failure(changed):
    lost = 'find "$archive" -type f -newer "$backup/backup_manifest" -delete'
    gap = changed("archived=$(now)\n", f"archived=$(now)\n{lost}\n")
    done = drill.run("--seconds", "1", "--writers", "1", drill=gap)
    assert done.returncode == 1, done.stderr
    assert "before configured recovery target was reached" in done.stderr


def test_what_its_caller_has_configured_changes_nothing(tmp_path):
    (tmp_path / ".curlrc").write_text('fail\nrequest = "PUT"\nproxy = "http://127.0.0.1:9"\n')
    (tmp_path / ".psqlrc").write_text("\\echo hostile\n\\q\n")
    variables = {name: str(tmp_path) for name in ("HOME", "CURL_HOME", "CDPATH", "PGSYSCONFDIR", "PGDATA")}
    variables |= {"PGOPTIONS": "-c default_transaction_read_only=on", "PGHOSTADDR": "127.0.0.5", "PGPORT": "9"}
    variables |= {"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9", "PGSERVICE": "hostile"}
    done = drill.run("--seconds", "1", "--writers", "1", env=variables)
    assert done.returncode == 0, done.stderr


def test_bad_options_are_refused():
    for arguments in (["--seconds", "0"], ["--writers", "x"], ["--record"], ["exploded"], ["--rows", "99999999"]):
        done = drill.run(*arguments)
        assert done.returncode == 2, arguments
        assert done.stderr.startswith("restore-drill: "), arguments


def processes():
    """The command line of every process."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            yield path.read_text(errors="replace")


def test_drills_leave_nothing_behind(changed):
    before = set(pathlib.Path("/tmp").glob("items-drill.*"))
    broken = changed('say "── base backup, under load"', 'say "── base backup, under load"\nfalse')
    done = drill.run(drill=broken)
    assert done.returncode == 1
    assert set(pathlib.Path("/tmp").glob("items-drill.*")) <= before
    (directory,) = set(re.findall(r"/tmp/items-drill\.\w+", done.stderr))
    assert not [process for process in processes() if directory in process]

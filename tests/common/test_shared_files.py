"""Several processes fetch and write the same files, and none is damaged."""

import subprocess
import sys

import pytest
from conftest import ROOT

from benchmark_utils.common.checksums import read_checksums, write_checksum
from benchmark_utils.common.shared_files import incoming, locked, write_whole

WRITER = """
import sys
from pathlib import Path
from benchmark_utils.common.checksums import read_checksums, write_checksum
path, who = Path(sys.argv[1]), sys.argv[2]
for i in range(40):
    write_checksum(path, f"{who}{i}", f"digest-of-{who}{i}")
    read_checksums(path)
"""


def test_processes_that_write_one_list_keep_all_the_lines(tmp_path):
    path = tmp_path / "SHA256SUMS"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), who], cwd=ROOT)
        for who in "abc"
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    read_checksums.cache_clear()
    expected = {f"{who}{i}": f"digest-of-{who}{i}" for who in "abc" for i in range(40)}
    assert read_checksums(path) == expected
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "SHA256SUMS"]


def test_a_line_that_another_process_wrote_since_is_kept(tmp_path):
    path = tmp_path / "SHA256SUMS"
    write_checksum(path, "mine", "1")
    assert read_checksums(path) == {"mine": "1"}
    with path.open("a") as file:  # By another process: ours remembers the list.
        file.write("2  theirs\n")
    write_checksum(path, "mine", "3")
    assert read_checksums(path) == {"mine": "3", "theirs": "2"}


def test_a_list_is_readable_by_others_and_whole(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    write_whole(tmp_path / "list", "text")
    assert (tmp_path / "list").read_text() == "text"
    assert (tmp_path / "list").stat().st_mode == plain.stat().st_mode


def test_what_comes_in_is_seen_at_the_end_alone(tmp_path):
    folder = tmp_path / "data"
    with locked(folder), incoming(folder) as temporary:
        (temporary / "inside").mkdir()
        (temporary / "inside" / "image.png").write_text("image")
        (temporary / ".cache").mkdir()
        (temporary / ".cache" / "note").write_text("note")
        assert not (folder / "inside").exists()
    assert (folder / "inside" / "image.png").read_text() == "image"
    assert sorted(p.name for p in folder.iterdir()) == [".lock", "inside"]


def test_what_fails_leaves_nothing_behind(tmp_path):
    def fail():
        with locked(tmp_path), incoming(tmp_path) as temporary:
            (temporary / "image.png").write_text("half")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == [".lock"]


def test_a_disk_without_locks_is_written_all_the_same(tmp_path, monkeypatch):
    def no_locks(self):
        raise NotImplementedError

    monkeypatch.setattr("filelock.FileLock.acquire", no_locks)
    write_checksum(tmp_path / "SHA256SUMS", "a", "1")
    assert (tmp_path / "SHA256SUMS").read_text() == "1  a\n"

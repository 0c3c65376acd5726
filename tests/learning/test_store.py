"""Trained weights are kept, whole, once, under a key of all that shapes them."""

import json
import threading

import pytest
import torch

from benchmark_utils.learning import store
from tools import learned

WEIGHTS = {"a": torch.arange(6.0).view(2, 3)}
RECORD = {
    "solver": "Mine",
    "dataset": "natural",
    "problem": "sr4",
    "steps": 3,
    "seconds": 1.5,
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path))
    return tmp_path / "learned"


class Training:
    """Counts how often it is asked for."""

    def __init__(self):
        self.n = 0

    def __call__(self, checkpoint):
        self.n += 1
        return WEIGHTS, RECORD


def test_weights_are_trained_once_and_found_again(folder):
    train = Training()
    for was_there in (False, True, True):
        weights, record, found = store.trained_weights("key", train)
        assert torch.equal(weights["a"], WEIGHTS["a"])
        assert record["seconds"] == 1.5 and found is was_there
    assert train.n == 1
    assert sorted(path.name for path in (folder / "key").iterdir()) == [
        ".lock",
        "record.json",
        "weights.safetensors",
    ]


def test_another_key_is_trained_for_itself():
    train = Training()
    for key in ("one", "two"):
        store.trained_weights(key, train)
    assert train.n == 2 and set(store.entries()) == {"one", "two"}


def test_those_who_ask_meanwhile_wait_for_the_one_who_trains():
    started, train = threading.Event(), Training()

    def slow(checkpoint):
        started.set()
        threading.Event().wait(0.3)
        return train(checkpoint)

    first = threading.Thread(target=store.trained_weights, args=("key", slow))
    first.start()
    started.wait()
    assert store.trained_weights("key", train)[2]
    first.join()
    assert train.n == 1


@pytest.mark.parametrize("name", [store.WEIGHTS, store.RECORD])
def test_files_that_are_damaged_or_half_there_are_made_anew(name, folder):
    train = Training()
    store.trained_weights("key", train)
    path = folder / "key" / name
    path.write_bytes(path.read_bytes()[:-7])
    assert not store.trained_weights("key", train)[2]
    assert store.trained_weights("key", train)[2] and train.n == 2


def test_weights_of_which_one_bit_has_changed_are_made_anew(folder):
    store.trained_weights("key", Training())
    path = folder / "key" / store.WEIGHTS
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert not store.trained_weights("key", Training())[2]


def test_a_training_that_fails_leaves_no_weights(folder):
    def fails(checkpoint):
        checkpoint.write_text("resumed next time")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.trained_weights("key", fails)
    assert store.entries() == {}

    def resumes(checkpoint):
        assert checkpoint.read_text() == "resumed next time"
        return WEIGHTS, RECORD

    store.trained_weights("key", resumes)
    assert not (folder / "key" / store.CHECKPOINT).exists()


def test_a_store_that_cannot_be_written_says_so_and_the_weights_serve(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "file"))
    train = Training()
    for n in (1, 2):
        weights, _, found = store.trained_weights("key", train)
        assert not found and train.n == n and torch.equal(weights["a"], WEIGHTS["a"])
    said = capsys.readouterr().out
    assert "cannot be kept" in said and "BENCHMARK_CACHE" in said


def test_the_tool_lists_and_clears(capsys, folder):
    learned.main([])
    assert "no such weights" in capsys.readouterr().out
    store.trained_weights("one", Training())
    store.trained_weights("two", lambda _: (WEIGHTS, {**RECORD, "solver": "Other"}))
    learned.main([])
    listed = capsys.readouterr().out
    assert "one  Mine on natural sr4: 3 steps, 2 s on cpu" in listed
    assert "two  Other" in listed
    learned.main(["--clear", "Other"])
    assert set(store.entries()) == {"one"}
    learned.main(["--clear"])
    assert store.entries() == {} and not list(folder.iterdir())


def test_the_record_is_json_that_people_can_read(folder):
    store.trained_weights("key", Training())
    record = json.loads((folder / "key" / "record.json").read_text())
    assert record.items() > RECORD.items()

"""Warm models: the budget, who leaves, who stays, and what happens when loading fails."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ennead.errors import DeviceBusy, DeviceMemoryExhausted
from ennead_gpu.warm import WarmModels


class Room:
    """Warm models of 100 MiB in all, whose loading and closing is written down."""

    def __init__(self) -> None:
        self.now, self.loaded, self.closed = 0.0, [], []
        self.models = WarmModels(100, close=self.closed.append, clock=lambda: self.now)

    def load(self, key: str) -> Callable[[], str]:
        def loading() -> str:
            self.loaded.append(key)
            return f"model {key}"

        return loading

    def touch(self, key: str, mib: float = 40) -> None:
        self.now += 1
        with self.models.use(key, self.load(key), mib) as model:
            assert model == f"model {key}"

    @property
    def here(self) -> list[str]:
        return [r["model"] for r in self.models.state()]


@pytest.fixture
def room() -> Room:
    return Room()


def test_a_model_is_loaded_once(room: Room) -> None:
    for _ in range(3):
        room.touch("a")
    assert room.loaded == ["a"]
    assert room.models.state()[0]["uses"] == 3


def test_the_longest_unused_leaves(room: Room) -> None:
    for key in ("a", "b", "a", "c"):
        room.touch(key)
    assert room.here == ["c", "a"]
    assert room.closed == ["model b"]
    room.touch("d", 100)
    assert room.here == ["d"]
    assert sorted(room.closed) == ["model a", "model b", "model c"]


def test_a_model_in_use_never_leaves(room: Room) -> None:
    with room.models.use("a", room.load("a"), 60):
        room.touch("b", 40)
        room.touch("c", 40)
        assert room.here == ["c", "a"]
        with pytest.raises(DeviceBusy), room.models.use("d", room.load("d"), 60, timeout_s=0):
            pass
        room.models.make_room(0)
        room.models.sweep(0)
        assert room.here == ["a"]
    assert "d" not in room.loaded and "model a" not in room.closed


def test_who_cannot_fit_beside_models_in_use_drives_nobody_out(room: Room) -> None:
    with room.models.use("a", room.load("a"), 60):
        room.touch("b", 40)
        with pytest.raises(DeviceBusy), room.models.use("c", room.load("c"), 50, timeout_s=0):
            pass
        assert room.closed == []


def test_one_that_waits_comes_in_when_there_is_room(room: Room) -> None:
    entered = threading.Event()

    def wait() -> None:
        with room.models.use("b", room.load("b"), 60):
            entered.set()

    with room.models.use("a", room.load("a"), 60):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not entered.wait(0.05)
    thread.join(5)
    assert entered.is_set() and room.closed == ["model a"]


def test_asked_for_twice_at_once_it_is_loaded_once(room: Room) -> None:
    begun, go, got = threading.Event(), threading.Event(), []

    def slow() -> str:
        room.loaded.append("a")
        begun.set()
        assert go.wait(5)
        return "model a"

    def work() -> None:
        with room.models.use("a", slow, 100) as model:
            got.append(model)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert begun.wait(5)
    assert room.models.state()[0]["loading"]
    go.set()
    for thread in threads:
        thread.join(5)
    assert got == ["model a"] * 5 and room.loaded == ["a"]


def test_loading_that_fails_leaks_nothing(room: Room) -> None:
    def broken() -> str:
        raise OSError("weights are gone")

    for _ in range(3):
        with pytest.raises(OSError, match="weights are gone"), room.models.use("a", broken, 100):
            pass
    assert room.here == [] and room.closed == []
    room.touch("a", 100)
    assert room.here == ["a"]


def test_all_who_waited_for_a_failing_load_are_told(room: Room) -> None:
    go, told = threading.Event(), []

    def broken() -> str:
        assert go.wait(5)
        raise OSError("weights are gone")

    def work() -> None:
        try:
            with room.models.use("a", broken, 100):
                pass
        except OSError as error:
            told.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(5)
    assert told == ["weights are gone"] * 3
    room.touch("a", 100)


def test_room_is_made_around_the_one_that_is_wanted(room: Room) -> None:
    room.touch("a", 50)
    room.touch("b", 50)
    room.models.make_room(0, keep="a")
    assert room.here == ["a"]
    room.models.make_room(50)
    assert room.here == ["a"]
    room.models.make_room(49)
    assert room.here == []


def test_idle_models_are_swept(room: Room) -> None:
    room.touch("a")
    room.now += 10
    room.touch("b")
    room.now += 5
    room.models.sweep(idle_s=10)
    assert room.here == ["b"] and room.closed == ["model a"]


def test_what_can_never_fit_is_refused_at_once(room: Room) -> None:
    with pytest.raises(DeviceMemoryExhausted), room.models.use("a", room.load("a"), 101):
        pass
    assert room.loaded == []

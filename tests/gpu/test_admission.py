"""Who is let in, and when: the queue with a clock that only the test moves, then with threads."""

from __future__ import annotations

import threading
import time

import pytest

from ennead.errors import DeviceBusy, DeviceMemoryExhausted, NotFound, PredictionCancelled
from ennead_gpu._queue import LeaseQueue, Ticket
from ennead_gpu.admission import Admission


def labels(tickets: list[Ticket]) -> str:
    return "".join(ticket.label for ticket in tickets)


def test_leases_never_exceed_the_budget() -> None:
    queue = LeaseQueue(100)
    first = queue.ask("a", 60, 5, 0)
    second = queue.ask("b", 60, 5, 0)
    assert labels(queue.grant(0)) == "a"
    assert queue.holds(first) and not queue.holds(second)
    assert queue.leased_mib == 60
    queue.withdraw(first)
    assert labels(queue.grant(1)) == "b"


def test_the_urgent_first_and_equals_as_they_came() -> None:
    queue = LeaseQueue(10)
    running = queue.ask("x", 10, 5, 0)
    queue.grant(0)
    for label, priority in (("a", 5), ("b", 1), ("c", 5), ("d", 1), ("e", 0)):
        queue.ask(label, 10, priority, 1)
    served = ""
    while queue.waiting():
        queue.withdraw(running)
        (running,) = queue.grant(2)
        served += running.label
    assert served == "ebdac"


def test_waiting_a_minute_is_worth_a_step_of_priority() -> None:
    queue = LeaseQueue(10, ageing_s=60)
    queue.ask("routine", 10, 5, now=0)
    queue.ask("just later", 10, 0, now=299)
    queue.ask("too late", 10, 0, now=301)
    assert [t.label for t in queue.waiting()] == ["just later", "routine", "too late"]


def test_a_stream_of_urgent_runs_starves_nobody() -> None:
    """One urgent run a second, each a second long: the off-peak run gets its turn all the same."""
    queue, second = LeaseQueue(10, ageing_s=60), 0
    patient = queue.ask("patient", 10, 9, 0)
    running: Ticket | None = None
    while not queue.holds(patient):
        second += 1
        queue.ask("stat", 10, 0, second)
        if running is not None:
            queue.withdraw(running)
        granted = queue.grant(second)
        running = granted[0] if granted else running
        assert second < 600
    assert second == 9 * 60


def test_small_runs_pass_a_large_one_only_until_its_patience_ends() -> None:
    queue = LeaseQueue(100, patience_s=30)
    small = queue.ask("s", 40, 5, 0)
    queue.grant(0)
    large = queue.ask("L", 90, 5, 1)
    queue.ask("t", 40, 5, 2)
    assert labels(queue.grant(2)) == "t"
    queue.withdraw(small)
    queue.ask("u", 40, 5, 32)
    assert labels(queue.grant(32)) == ""  # there is room for u, but L has waited long enough
    queue.withdraw(next(t for t in queue.leased() if t.label == "t"))
    assert labels(queue.grant(33)) == "L"
    assert queue.holds(large)


def test_withdrawing_a_waiter_lets_the_next_one_in() -> None:
    queue = LeaseQueue(100, patience_s=0)
    queue.ask("a", 50, 5, 0)
    queue.grant(0)
    large = queue.ask("L", 80, 5, 1)
    queue.ask("b", 50, 5, 2)
    assert queue.grant(3) == []
    queue.withdraw(large)
    assert labels(queue.grant(3)) == "b"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def wait_for(condition: object, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_threads_are_served_in_order_and_within_the_budget() -> None:
    admission = Admission({"cpu": 100.0})
    served: list[str] = []
    lock, most, now = threading.Lock(), [0.0], [0.0]

    def work(label: str, mib: float, priority: int) -> None:
        with admission.lease("cpu", mib, label=label, priority=priority):
            with lock:
                served.append(label)
                now[0] += mib
                most[0] = max(most[0], now[0])
            time.sleep(0.002)
            with lock:
                now[0] -= mib

    threads = []
    with admission.lease("cpu", 100):
        for label, priority in (("c", 5), ("a", 0), ("d", 5), ("b", 1), ("e", 7)):
            threads.append(threading.Thread(target=work, args=(label, 100, priority)))
            threads[-1].start()
            waiting = len(threads)
            wait_for(lambda waiting=waiting: len(admission.state("cpu")["queue"]) == waiting)
        assert [q["label"] for q in admission.state("cpu")["queue"]] == list("abcde")
    for thread in threads:
        thread.join(5)
    assert served == list("abcde")
    more = [threading.Thread(target=work, args=(str(n), 30, n % 3)) for n in range(24)]
    for thread in more:
        thread.start()
    for thread in more:
        thread.join(5)
    assert len(served) == 29 and 30 <= most[0] <= 100
    state = admission.state("cpu")
    assert (state["leased_mib"], state["queue"], state["leases"]) == (0, [], [])


def test_a_lease_ends_with_its_block_even_when_it_fails() -> None:
    admission = Admission({"cpu": 10.0})
    with pytest.raises(ZeroDivisionError), admission.lease("cpu", 10):
        raise ZeroDivisionError
    assert admission.leased_mib("cpu") == 0


def test_what_can_never_fit_is_refused_at_once() -> None:
    admission = Admission({"cpu": 10.0})
    with (
        pytest.raises(DeviceMemoryExhausted, match="10 MiB for models"),
        admission.lease("cpu", 11),
    ):
        pass
    with pytest.raises(NotFound, match="cuda:9"), admission.lease("cuda:9", 1):
        pass


def test_a_wait_ends_in_time() -> None:
    clock = Clock()
    admission = Admission({"cpu": 10.0}, clock=clock)
    found: list[BaseException] = []

    def wait() -> None:
        try:
            with admission.lease("cpu", 10, timeout_s=30):
                pass
        except DeviceBusy as error:
            found.append(error)

    with admission.lease("cpu", 10):
        thread = threading.Thread(target=wait)
        thread.start()
        wait_for(lambda: admission.state("cpu")["queue"])
        clock.now = 29.9
        time.sleep(0.02)
        assert not found
        clock.now = 30.1
        thread.join(5)
        assert "10 of 10 MiB are leased" in str(found[0])
        assert admission.state("cpu")["queue"] == []


def test_a_cancelled_waiter_leaves_the_queue() -> None:
    admission, cancelled = Admission({"cpu": 10.0}), threading.Event()
    found: list[BaseException] = []

    def wait() -> None:
        try:
            with admission.lease("cpu", 10, stop=cancelled.is_set):
                pass
        except PredictionCancelled as error:
            found.append(error)

    with admission.lease("cpu", 10):
        thread = threading.Thread(target=wait)
        thread.start()
        wait_for(lambda: admission.state("cpu")["queue"])
        cancelled.set()
        thread.join(5)
        assert len(found) == 1
        assert admission.state("cpu")["queue"] == []
    with admission.lease("cpu", 10, timeout_s=1):
        pass

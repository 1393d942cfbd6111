"""Who gets a device's memory next: a state machine without threads or clocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Seconds of waiting that weigh as much as one step of priority.
AGEING_S: Final = 60.0
#: A request that has waited this long for room is no longer passed by smaller ones.
PATIENCE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request for memory.

    Parameters
    ----------
    number : int
        Rises with every request.
    label : str
        What it is for; shown on the device page.
    mib : float
        Memory asked for.
    priority : int
        Smaller is more urgent.
    asked_at : float
        Seconds of the caller's clock.
    """

    number: int
    label: str
    mib: float
    priority: int
    asked_at: float


class LeaseQueue:
    """Requests and leases of one device.

    Ageing lets every waiter gain one step of priority a minute. All gain alike, so the order of
    two waiters never changes: it is that of ``asked_at + priority × ageing_s``. A request is
    passed only by those that came at most so much later as they are more urgent, so none starves.

    Parameters
    ----------
    budget_mib : float
        Memory in all.
    ageing_s, patience_s : float
        See :data:`AGEING_S`, :data:`PATIENCE_S`.
    """

    def __init__(
        self, budget_mib: float, ageing_s: float = AGEING_S, patience_s: float = PATIENCE_S
    ) -> None:
        self.budget_mib = budget_mib
        self._ageing_s, self._patience_s = ageing_s, patience_s
        self._waiting: dict[int, Ticket] = {}
        self._leased: dict[int, Ticket] = {}
        self._last = 0

    @property
    def leased_mib(self) -> float:
        """Memory of all leases."""
        return sum(ticket.mib for ticket in self._leased.values())

    def ask(self, label: str, mib: float, priority: int, now: float) -> Ticket:
        """Queue a request."""
        self._last += 1
        ticket = Ticket(self._last, label, mib, priority, now)
        self._waiting[ticket.number] = ticket
        return ticket

    def withdraw(self, ticket: Ticket) -> None:
        """Forget a request, or end its lease."""
        self._waiting.pop(ticket.number, None)
        self._leased.pop(ticket.number, None)

    def holds(self, ticket: Ticket) -> bool:
        """Whether the request has become a lease."""
        return ticket.number in self._leased

    def waiting(self) -> list[Ticket]:
        """Requests in the order in which they are served."""
        return sorted(self._waiting.values(), key=self._rank)

    def leased(self) -> list[Ticket]:
        """Leases in the order of their requests."""
        return sorted(self._leased.values(), key=lambda ticket: ticket.number)

    def grant(self, now: float) -> list[Ticket]:
        """Turn requests into leases as far as memory goes.

        A request without room is passed by those behind it that fit, until its patience ends;
        then the device empties for it.
        """
        granted = []
        for ticket in self.waiting():
            if self.leased_mib + ticket.mib <= self.budget_mib:
                self._leased[ticket.number] = self._waiting.pop(ticket.number)
                granted.append(ticket)
            elif now - ticket.asked_at >= self._patience_s:
                break
        return granted

    def _rank(self, ticket: Ticket) -> tuple[float, int]:
        return ticket.asked_at + ticket.priority * self._ageing_s, ticket.number

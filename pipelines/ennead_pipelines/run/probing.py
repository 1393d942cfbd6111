"""Which series of a job are looked at before it runs."""

from __future__ import annotations

from collections.abc import Sequence

from ennead.plugins import Manifest
from ennead_pipelines.run.inputs import JobInput
from ennead_pipelines.run.requests import ProbeRequest


def probe_requests(manifest: Manifest, inputs: Sequence[JobInput]) -> tuple[ProbeRequest, ...]:
    """One for each input whose manifest rule asks for probes; empty where none does."""
    rules = {rule.name: tuple(rule.probe) for rule in manifest.series_inputs if rule.probe}
    return tuple(
        ProbeRequest(each.request, rules[each.name]) for each in inputs if each.name in rules
    )

"""Packages of others run apart: no network, no files but their own, no processes, limits.

:mod:`~ennead_pipelines.sandbox.plan` says for whom, :mod:`~ennead_pipelines.sandbox.host` starts
and judges the process, :mod:`~ennead_pipelines.sandbox.environments` makes interpreters of their
own. What the process itself does is in :mod:`ennead.sandbox`.
"""

from ennead_pipelines.sandbox.faults import Stopped
from ennead_pipelines.sandbox.host import run_apart
from ennead_pipelines.sandbox.plan import SandboxPlan, plan_for

__all__ = ["SandboxPlan", "Stopped", "plan_for", "run_apart"]

"""Running a package's own code, inside its limits."""

from __future__ import annotations

from collections.abc import Callable

from ennead.contracts import Pipeline, RunContext
from ennead.findings import Result
from ennead.plugins import load_pipeline
from ennead_pipelines.run.fresh import forget_other_versions
from ennead_pipelines.run.limits import Overrun, RunGuard, RunLimits
from ennead_pipelines.run.requests import MeasureRequest


def run_package(
    request: MeasureRequest,
    context: RunContext,
    on_overrun: Callable[[Overrun], None] | None = None,
) -> list[Result]:
    """Everything the package returns.

    Parameters
    ----------
    on_overrun : callable, optional
        What to do when the package passes its limits of memory or processor time; without it,
        they are not watched. In the sandbox the kernel holds it to them.

    Raises
    ------
    Stopped
        The package ran in the sandbox, and gave no results.
    """
    if request.sandbox is not None:
        from ennead_pipelines.sandbox import run_apart

        manifest = request.manifest
        return list(run_apart(request.sandbox, manifest, manifest.pipeline, context))
    pipeline = _pipeline(request)
    if on_overrun is None:
        return list(pipeline.run(context))
    with RunGuard(RunLimits.of(request.manifest.runtime), on_overrun):
        return list(pipeline.run(context))


def _pipeline(request: MeasureRequest) -> Pipeline:
    if request.network is not None:
        from ennead_pipelines.networks.pipeline import ModelPipeline

        return ModelPipeline(request.network)
    forget_other_versions(request.manifest, request.manifest_digest)
    return load_pipeline(request.manifest)

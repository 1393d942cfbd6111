"""Running: every reference case, twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ennead.errors import ContractError, EnneadError, UndeclaredOutput
from ennead.findings import Map, Result, Segment
from ennead.plugins import Manifest
from ennead_pipelines.anatomy import DEFAULT
from ennead_pipelines.reference import Comparison, case_context, compare, run_case
from ennead_pipelines.sandbox import SandboxPlan


@dataclass(slots=True)
class Runs:
    """What running showed, for several rules.

    Parameters
    ----------
    failed, undeclared, differs : list of str
        Problems of ``runs_on_phantom``, ``writes_declared_outputs_only``, ``deterministic``.
    comparisons : list of Comparison
        Expected numbers and what came.
    """

    failed: list[str] = field(default_factory=list)
    undeclared: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    def reference_case(self) -> Iterator[str]:
        """Problems of the rule of that name."""
        if not self.comparisons and not self.failed:
            yield "no [[test]] of package.toml expects a number"
        for each in self.comparisons:
            if not each.passed:
                got = "nothing" if each.got is None else f"{each.got:.6g}"
                expected = f"{each.expected:.6g} ± {each.tolerance:.3g}"
                yield f"{each.case}: {each.output} is {got}, expected {expected}"


def run_twice(
    manifest: Manifest, plan: SandboxPlan | None = None, anatomy: Sequence[str] = DEFAULT
) -> Runs:
    """Run every case twice on the same input; a failure of the package is a problem, no error."""
    runs = Runs()
    if not manifest.test:
        runs.failed.append("package.toml has no [[test]]: nothing shows that it runs")
    for case in manifest.test:
        try:
            context = case_context(manifest, case, anatomy)
            first = run_case(manifest, context, plan)
            runs.comparisons += compare(case, first)
            second = run_case(manifest, context, plan)
        except UndeclaredOutput as error:
            runs.undeclared.append(f"{case.input}: {error.message}")
        except (EnneadError, ContractError) as error:
            runs.failed.append(f"{case.input}: {error.message}")
        except Exception as error:  # the package's own code: whatever it raises is its failure
            runs.failed.append(f"{case.input}: {type(error).__name__}: {error}")
        else:
            if not first:
                runs.failed.append(f"{case.input}: nothing was returned, not even a refusal")
            runs.differs += [f"{case.input}: {what}" for what in differences(first, second)]
    return runs


def differences(first: Sequence[Result], second: Sequence[Result]) -> Iterator[str]:
    """In what two lists of results differ."""
    if len(first) != len(second):
        yield f"{len(first)} results, then {len(second)}"
        return
    for one, two in zip(first, second, strict=True):
        name = getattr(one, "id", None) or getattr(one, "text_key", "")
        if type(one) is not type(two):
            yield f"{name}: {type(one).__name__}, then {type(two).__name__}"
        elif isinstance(one, Segment) and isinstance(two, Segment):
            if (one.id, one.label, one.type) != (two.id, two.label, two.type):
                yield f"segment {name}: other codes"
            elif not np.array_equal(one.mask, two.mask):
                yield f"segment {name}: {int((one.mask != two.mask).sum())} voxels differ"
        elif isinstance(one, Map) and isinstance(two, Map):
            if one.id != two.id or not np.array_equal(one.values, two.values, equal_nan=True):
                yield f"map {name}: values differ"
        elif one != two:
            yield f"{type(one).__name__.lower()} {name}: values differ"

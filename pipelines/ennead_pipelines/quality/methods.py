"""Methods: each measurement is a documented function that names its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ennead.plugins import Manifest, OutputRule
from ennead_pipelines.quality.sources import Sources

#: A DOI, PMC or PubMed number, part of the Standard, book, address, or a definition of its own.
CITATION = re.compile(
    r"\b10\.\d{4,}/\S+|\bPMC\d+|\bPMID:? ?\d+|\bPS3\.\d+|\bISBN\b|\bRFC \d+|https?://|\bDefinition:"
)


def methods_documented(manifest: Manifest, sources: Sources) -> Iterator[str]:
    """Every ``method`` names a function of the package, with a docstring."""
    for output in _measurements(manifest):
        found = sources.function(output.method)
        if found is None:
            yield f"output {output.id}: {output.method} is no function of the package"
        elif not ast.get_docstring(found):
            yield f"output {output.id}: {output.method} has no docstring"


def methods_cite_sources(manifest: Manifest, sources: Sources) -> Iterator[str]:
    """Its docstring cites a source, or the manifest's ``reference`` does."""
    for output in _measurements(manifest):
        found = sources.function(output.method)
        said = (ast.get_docstring(found) or "") if found is not None else ""
        if not output.reference and not CITATION.search(said):
            yield (
                f"output {output.id}: cite a source in the docstring of {output.method} (DOI, PMC, "
                "PS3.x, 'Definition: …') or as its reference"
            )


def _measurements(manifest: Manifest) -> Iterator[OutputRule]:
    return (output for output in manifest.output if output.kind == "measurement")

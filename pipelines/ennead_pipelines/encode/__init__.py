"""Results to DICOM: one segmentation and one report per run, checked before they leave.

``encode`` is the API. Its objects: label map or BINARY segmentation over the one series the
segments lie on, and a Comprehensive 3D SR following TID 1500. UIDs are functions of a
:class:`ResultIdentity` (docs/adr/0005-identity-of-results.md), so a repeated run finds its
results instead of storing them twice; with the same ``at`` it gives the same bytes.

    encoded = encode(results, manifest=…, identity=…, sources={uid: SourceSeries(…)},
                     organisation=…, seg_encoding="labelmap", parameters={…}, at=job.created_at)
"""

from __future__ import annotations

from ennead_pipelines.encode._encode import EncodedResults, encode
from ennead_pipelines.encode.identity import ResultIdentity
from ennead_pipelines.encode.sources import SourceSeries

__all__ = ["EncodedResults", "ResultIdentity", "SourceSeries", "encode"]

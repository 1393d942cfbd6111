"""What makes two jobs the same job (docs/adr/0005-identity-of-results.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ennead.contracts import InstanceRecord
from ennead.identifiers import FindingID, JobID, PackageID, StudyUID
from ennead.plugins import Manifest
from ennead_pipelines.select import Candidate, Selection


@dataclass(frozen=True, slots=True)
class JobIdentity:
    """The idempotency key. Times, hosts and devices are not in it."""

    study_uid: StudyUID
    package: PackageID
    version: str
    manifest_digest: str
    input_digest: str
    parameters_digest: str

    @property
    def job_id(self) -> JobID:
        """32 hexadecimal digits, a function of the key."""
        fields = (
            self.study_uid,
            self.package,
            self.version,
            self.manifest_digest,
            self.input_digest,
            self.parameters_digest,
        )
        return JobID(_digest(("ennead/job/1", *fields))[:32])


def identify(
    study_uid: StudyUID,
    manifest: Manifest,
    manifest_digest: str,
    selection: Selection,
    thresholds: Mapping[str, float | str],
) -> JobIdentity:
    """The identity of one package's work on one study.

    A declined study's identity covers every series that was looked at, so that new images ask
    again and the same images do not.
    """
    if selection.runnable:
        chosen = {name: each.candidate for name, each in selection.inputs.items()}
    else:
        chosen = {
            f"{c.input}/{c.candidate.record.series_uid}": c.candidate for c in selection.choices
        }
    return JobIdentity(
        study_uid,
        PackageID(manifest.id),
        manifest.version,
        manifest_digest,
        input_digest(chosen),
        parameters_digest(thresholds),
    )


def input_digest(inputs: Mapping[str, Candidate]) -> str:
    """``sha256:…`` over input names, series and the content of every instance, order-free."""
    lines = []
    for name, candidate in sorted(inputs.items()):
        lines.append(f"{name}={candidate.record.series_uid}")
        lines += sorted(_content(i) for i in candidate.instances)
    return "sha256:" + _digest(lines)


def parameters_digest(thresholds: Mapping[str, float | str]) -> str:
    """``sha256:…`` over what a site may change: numbers, or the word that stops a run."""
    return "sha256:" + _digest(f"{k}={v!r}" for k, v in sorted(thresholds.items()))


def finding_id(job_id: str, finding: str) -> FindingID:
    """32 hexadecimal digits, a function of the job and the package's own finding id."""
    return FindingID(_digest(("ennead/finding/1", job_id, finding))[:32])


def _content(instance: InstanceRecord) -> str:
    return f"{instance.instance_uid}={instance.sha256}"


def _digest(fields: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for field in fields:
        data = field.encode()
        digest.update(str(len(data)).encode() + b":" + data)
    return digest.hexdigest()

"""What a result's UIDs are derived from (results-encoding §5, ADR 0005)."""

from __future__ import annotations

from dataclasses import dataclass

from ennead.identifiers import InstanceUID, SeriesUID, StudyUID, TrackingUID, derive_uid


@dataclass(frozen=True, slots=True)
class ResultIdentity:
    """Everything a run's results depend on, and nothing else: no time, host or device.

    Parameters
    ----------
    study_uid : StudyUID
    package_id, package_version : str
    manifest_digest, input_digest, parameters_digest : str
        ``sha256:…`` of the manifest file, of the pixels and attributes read, of the parameters.
    revision : int
        Raised by an operator on purpose when the same inputs must be written again.
    """

    study_uid: StudyUID
    package_id: str
    package_version: str
    manifest_digest: str
    input_digest: str
    parameters_digest: str
    revision: int = 0

    def _derive(self, role: str, ordinal: str) -> str:
        return derive_uid(
            role,
            self.study_uid,
            self.package_id,
            self.package_version,
            self.manifest_digest,
            self.input_digest,
            self.parameters_digest,
            str(self.revision),
            ordinal,
        )

    def series_uid(self, kind: str) -> SeriesUID:
        """Series of this run's ``seg`` or ``sr``."""
        return SeriesUID(self._derive(f"series.{kind}", ""))

    def instance_uid(self, kind: str) -> InstanceUID:
        """The ``seg`` or ``sr`` instance of this run."""
        return InstanceUID(self._derive(f"instance.{kind}", ""))

    def dimension_uid(self) -> str:
        """Dimension organization of the segmentation."""
        return self._derive("dimension", "")

    def finding_tracking_uid(self, finding_id: str) -> TrackingUID:
        """Tracking UID of a finding of this run."""
        return TrackingUID(self._derive("tracking", f"finding/{finding_id}"))

    def segment_tracking_uid(self, segment_id: str) -> TrackingUID:
        """Tracking UID of a segment that no single finding owns."""
        return TrackingUID(self._derive("tracking", f"segment/{segment_id}"))

    def device_uid(self) -> str:
        """Device observer: this version of this package, wherever it runs."""
        return derive_uid("device", self.package_id, self.package_version, self.manifest_digest)

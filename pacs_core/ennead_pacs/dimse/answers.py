"""What a C-FIND response holds at each level: tag → column of the index row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Row

from ennead_pacs.dimse.identifier import CHARACTER_SET, LEVEL, Identifier, encode_dataset

_RETRIEVE_AE: Final = 0x00080054
_AVAILABILITY: Final = 0x00080056

_PATIENT: Final = {
    0x00100010: "patient_name",
    0x00100020: "patient_id",
    0x00100030: "patient_birth_date",
    0x00100040: "patient_sex",
    0x00201200: "study_count",
}
_STUDY: Final = {
    0x00080020: "study_date",
    0x00080030: "study_time",
    0x00080050: "accession_number",
    0x00080061: "modalities",
    0x00080090: "referring_physician",
    0x00081030: "description",
    0x00100010: "patient_name",
    0x00100020: "patient_id",
    0x00100030: "patient_birth_date",
    0x00100040: "patient_sex",
    0x0020000D: "study_uid",
    0x00200010: "study_id",
    0x00201206: "series_count",
    0x00201208: "instance_count",
}
_SERIES: Final = {
    0x00080021: "series_date",
    0x00080031: "series_time",
    0x00080060: "modality",
    0x00080080: "institution_name",
    0x0008103E: "description",
    0x00081010: "station_name",
    0x00100010: "patient_name",
    0x00100020: "patient_id",
    0x00180015: "body_part",
    0x00181030: "protocol_name",
    0x0020000D: "study_uid",
    0x0020000E: "series_uid",
    0x00200011: "number",
    0x00200060: "laterality",
    0x00201209: "instance_count",
    0x00400244: "performed_date",
    0x00400245: "performed_time",
}
_IMAGE: Final = {
    0x00080016: "sop_class_uid",
    0x00080018: "instance_uid",
    0x00080060: "modality",
    0x00100010: "patient_name",
    0x00100020: "patient_id",
    0x0020000D: "study_uid",
    0x0020000E: "series_uid",
    0x00200013: "number",
    0x00280008: "frames",
    0x00280010: "rows",
    0x00280011: "columns",
}
COLUMNS: Final[Mapping[str, Mapping[int, str]]] = {
    "PATIENT": _PATIENT,
    "STUDY": _STUDY,
    "SERIES": _SERIES,
    "IMAGE": _IMAGE,
}


class Answers:
    """Encodes rows for one request: the layout is worked out once."""

    def __init__(self, identifier: Identifier, *, ae_title: str, implicit: bool) -> None:
        columns = COLUMNS[identifier.level]
        fixed = {LEVEL: identifier.level, _RETRIEVE_AE: ae_title, _AVAILABILITY: "ONLINE"}
        wanted = sorted({*identifier.values, *fixed} - {CHARACTER_SET})
        self._layout = [(tag, columns.get(tag), fixed.get(tag, "")) for tag in wanted]
        self._implicit = implicit
        #: Whether some key is not in the index, so that the pending status is FF01H.
        self.incomplete = any(not c and not f for _, c, f in self._layout)

    def encode(self, row: Row[Any]) -> bytes:
        """The response identifier of one match."""
        values = row._mapping
        elements = []
        for tag, column, fixed in self._layout:
            value = values[column] if column else fixed
            elements.append((tag, "" if value is None else str(value)))
        return encode_dataset(elements, implicit=self._implicit)

"""Little endian objects with the other kind of VR, for peers that take no other."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from ennead.errors import MalformedObject
from ennead_pacs.storage.part10 import read_meta
from ennead_pacs.storage.transfer_syntaxes import EXPLICIT_LITTLE, IMPLICIT_LITTLE

#: In order of preference.
LITTLE_ENDIAN: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)


def reencode(path: Path, transfer_syntax_uid: str) -> bytes:
    """The dataset of a stored object, encoded anew; values and pixels stay the same.

    Raises
    ------
    MalformedObject
        The object cannot be read or written that way.
    """
    import pydicom
    from pydicom.uid import UID

    stream = io.BytesIO()
    try:
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
        dataset.save_as(
            stream,
            implicit_vr=transfer_syntax_uid == IMPLICIT_LITTLE,
            little_endian=True,
            enforce_file_format=True,
        )
    except Exception as error:  # pydicom raises whatever the values provoke
        raise MalformedObject(
            f"The object cannot be written as {transfer_syntax_uid} ({type(error).__name__})."
        ) from error
    data = stream.getvalue()
    found = read_meta(data)
    if found is None:
        raise MalformedObject("The re-encoded object has no dataset.")
    return data[found[1] :]

"""Colour samples as RGB (PS3.3 §C.7.6.3.1.2, §C.7.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ennead.errors import Undecodable
from ennead.headers import numbers
from ennead_pacs.prepare.header import Header, swapped
from ennead_pacs.prepare.part10 import Part10
from ennead_pacs.rendering.voi import Table

Display = npt.NDArray[np.uint8]

#: Rows: red, green, blue; columns: Y, Cb - 128, Cr - 128.
_FULL_RANGE: Final = np.array(
    [[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]], dtype=np.float32
)
_PALETTE: Final = (("00281101", "00281201"), ("00281102", "00281202"), ("00281103", "00281203"))


def to_rgb(samples: npt.NDArray[Any], photometric: str, bits_stored: int) -> Display:
    """Three samples a pixel → uint8 RGB.

    Raises
    ------
    Undecodable
        The photometric interpretation is none of RGB and YBR.
    """
    if bits_stored > 8:
        samples = np.right_shift(samples, bits_stored - 8)
    samples = samples[..., :3]
    if photometric in ("RGB", "YBR_RCT", "YBR_ICT", "ARGB"):
        return samples.astype(np.uint8, copy=False)
    wide = samples.astype(np.float32)
    if photometric.startswith("YBR_PARTIAL"):
        wide[..., 0] = (wide[..., 0] - 16) * (255 / 219)
        wide[..., 1:] = (wide[..., 1:] - 128) * (255 / 224) + 128
    elif not photometric.startswith("YBR_FULL"):
        raise Undecodable(
            f"Pictures are made of RGB, YBR, palette and grey pixels; this is {photometric!r}. "
            "The instance can be retrieved as it is."
        )
    wide[..., 1:] -= 128
    rgb = wide @ _FULL_RANGE.T
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def palette_to_rgb(indices: npt.NDArray[Any], file: Part10, header: Header) -> Display:
    """PALETTE COLOR → uint8 RGB.

    Raises
    ------
    Undecodable
        A table is absent, or its data does not have the length its descriptor says.
    """
    channels = []
    for descriptor_tag, data_tag in _PALETTE:
        table = _palette_table(header.attributes, descriptor_tag, data_tag, file, header)
        if table is None:
            raise Undecodable(
                "A palette needs its descriptor and as many entries as that says (PS3.3 "
                f"§C.7.6.3.1.5, §C.7.6.3.1.6); tag {data_tag} does not. The instance can be "
                "retrieved as it is."
            )
        index = np.clip(indices.astype(np.int64) - table.first, 0, len(table.entries) - 1)
        channel = table.entries[index]
        # Entries announced as 16 bits that use only the lower byte are common.
        if table.bits == 16 and int(table.entries.max()) > 0xFF:
            channel = np.right_shift(channel, 8)
        channels.append(channel.astype(np.uint8))
    return np.stack(channels, axis=-1)


def _palette_table(
    attributes: Mapping[str, Any], descriptor_tag: str, data_tag: str, file: Part10, header: Header
) -> Table | None:
    descriptor = [int(v) for v in numbers(attributes, descriptor_tag)]
    if len(descriptor) != 3:
        return None
    count, first, bits = descriptor[0] or 65_536, descriptor[1], descriptor[2]
    if first > 0x7FFF:
        first -= 0x10000
    element = attributes.get(data_tag, {})
    if data_tag in header.bulk:
        place = header.bulk[data_tag]
        raw = file.data[place.offset : place.offset + place.length]
        raw = raw if file.encoding.little else swapped(raw, "OW")
    elif "InlineBinary" in element:
        import base64

        raw = base64.b64decode(element["InlineBinary"])
    else:
        raw = np.array(numbers(attributes, data_tag), dtype="<u2").tobytes()
    if len(raw) == count * 2:
        entries = np.frombuffer(raw, "<u2")
    elif bits == 8 and len(raw) in (count, count + count % 2):
        entries = np.frombuffer(raw[:count], np.uint8).astype(np.uint16)
    else:
        return None
    return Table(first, entries, bits)

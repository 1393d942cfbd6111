"""WADO-RS frames, rendered pictures and thumbnails."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless, SecondaryCaptureImageStorage
from starlette.testclient import TestClient

Make = Callable[..., list[Path]]
Store = Callable[[list[Path]], Any]
Parts = Callable[[bytes, str], list[tuple[dict[str, str], bytes]]]

OHIF = "multipart/related; type=application/octet-stream; transfer-syntax=*"
MEDIA_TYPES = {
    JPEGLSLossless: "image/jls",
    JPEG2000Lossless: "image/jp2",
    RLELossless: "image/dicom-rle",
}


def multiframe(path: Path, values: np.ndarray[Any, Any], **attributes: object) -> Path:
    """Turn a CT slice into an uncompressed multi-frame secondary capture of ``values``."""
    dataset = pydicom.dcmread(path)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = values.shape[:3]
    dataset.PixelData = values.tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def test_uncompressed_frames_in_every_asked_form(
    client: TestClient, series_of: Make, stored: Store, parts_of: Parts
) -> None:
    mine = stored(series_of(2))
    expected = pydicom.dcmread(mine.files[1]).PixelData
    url = f"{mine.instance_url(1)}/frames/1"
    for accept in (
        OHIF,
        'multipart/related; type="application/octet-stream"',
        'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1',
        "multipart/related",
        "*/*",
    ):
        answer = client.get(url, headers={"Accept": accept})
        ((headers, body),) = parts_of(answer.content, answer.headers["content-type"])
        assert body == expected
        assert (
            headers["content-type"]
            == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
        )
        assert "content-encoding" not in answer.headers
    single = client.get(url, headers={"Accept": "application/octet-stream"})
    assert single.content == expected
    tag = {"If-None-Match": single.headers["etag"], "Accept": "application/octet-stream"}
    assert client.get(url, headers=tag).status_code == 304


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless, RLELossless])
def test_compressed_frames_as_stored_and_decoded(
    client: TestClient, series_of: Make, stored: Store, parts_of: Parts, syntax: str
) -> None:
    plain = pydicom.dcmread(series_of(1)[0]).PixelData
    mine = stored(series_of(1, transfer_syntax=syntax))
    encoded = next(generate_frames(pydicom.dcmread(mine.files[0]).PixelData, number_of_frames=1))
    url = f"{mine.instance_url()}/frames/1"

    def get(accept: str) -> tuple[str, bytes]:
        answer = client.get(url, headers={"Accept": accept})
        assert answer.status_code == 200, answer.text
        ((headers, body),) = parts_of(answer.content, answer.headers["content-type"])
        return headers["content-type"], body

    assert get(OHIF) == (f"application/octet-stream; transfer-syntax={syntax}", encoded)
    own = MEDIA_TYPES[syntax]  # type: ignore[index]
    assert get(f'multipart/related; type="{own}"') == (f"{own}; transfer-syntax={syntax}", encoded)
    explicit = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert get('multipart/related; type="application/octet-stream"') == (explicit, plain)
    assert get(f"multipart/related; type=image/png, {OHIF}")[1] == encoded
    refused = client.get(url, headers={"Accept": 'multipart/related; type="image/png"'})
    assert refused.status_code == 406


def test_frames_of_a_multiframe_by_number(
    client: TestClient, series_of: Make, stored: Store, parts_of: Parts
) -> None:
    values = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)
    mine = stored([multiframe(series_of(1)[0], values)])
    answer = client.get(f"{mine.instance_url()}/frames/4,2", headers={"Accept": OHIF})
    parts = parts_of(answer.content, answer.headers["content-type"])
    assert [body for _, body in parts] == [values[3].tobytes(), values[1].tobytes()]
    assert parts[0][0]["content-location"].endswith("/frames/4")
    two = client.get(
        f"{mine.instance_url()}/frames/1,2", headers={"Accept": "application/octet-stream"}
    )
    assert two.status_code == 406


@pytest.mark.parametrize(
    ("frames", "status"),
    [("0", 400), ("-1", 400), ("x", 400), ("1,", 400), ("2", 404), ("²", 400), ("9" * 30, 400)],
)
def test_frame_numbers_that_are_none(
    client: TestClient, series_of: Make, stored: Store, frames: str, status: int
) -> None:
    mine = stored(series_of(1))
    assert client.get(f"{mine.instance_url()}/frames/{frames}").status_code == status


def encapsulated(
    path: Path, values: np.ndarray[Any, Any], pixel_data: Callable[[list[bytes]], bytes]
) -> Path:
    """A multi-frame JPEG-LS object whose fragments and tables ``pixel_data`` writes."""
    multiframe(path, values)
    dataset = pydicom.dcmread(path)
    dataset.compress(JPEGLSLossless, generate_instance_uid=False)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=len(values)))
    dataset.PixelData = pixel_data(frames)
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    return path


def item(data: bytes) -> bytes:
    data += b"\0" * (len(data) % 2)
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(data)) + data


def halves(frames: list[bytes], table: bytes) -> bytes:
    """Every frame in two fragments after an offset table of the given content."""
    out = item(table)
    for frame in frames:
        middle = len(frame) // 2 // 2 * 2
        out += item(frame[:middle]) + item(frame[middle:])
    return out


def true_table(frames: list[bytes]) -> bytes:
    offsets, position = [], 0
    for frame in frames:
        offsets.append(position)
        position += 16 + len(frame) + len(frame) % 2
    return struct.pack(f"<{len(offsets)}L", *offsets)


@pytest.mark.parametrize(
    "pixel_data",
    [
        encapsulate,
        lambda frames: encapsulate(frames, fragments_per_frame=3),
        lambda frames: encapsulate(frames, fragments_per_frame=2, has_bot=False),
        lambda frames: halves(frames, true_table(frames)),
        lambda frames: halves(frames, b""),
        # offsets that point outside or nowhere are rebuilt from the fragments (case 26)
        lambda frames: halves(frames, struct.pack("<3L", 0, 7, 0xFFFFFF00)),
        lambda frames: halves(frames, struct.pack("<3L", 0, 0, 0)),
        lambda frames: halves(frames, struct.pack("<L", 0)),
    ],
)
def test_fragments_with_good_bad_and_absent_offset_tables(
    client: TestClient,
    series_of: Make,
    stored: Store,
    parts_of: Parts,
    pixel_data: Callable[[list[bytes]], bytes],
) -> None:
    generator = np.random.default_rng(5)
    values = generator.integers(0, 60_000, (3, 20, 24), dtype=np.uint16)
    mine = stored([encapsulated(series_of(1)[0], values, pixel_data)])
    answer = client.get(
        f"{mine.instance_url()}/frames/1,2,3",
        headers={"Accept": 'multipart/related; type="application/octet-stream"'},
    )
    assert answer.status_code == 200, answer.text
    bodies = [body for _, body in parts_of(answer.content, answer.headers["content-type"])]
    assert bodies == [frame.tobytes() for frame in values]


def test_an_object_without_pixels_has_no_frames(
    client: TestClient, series_of: Make, stored: Store
) -> None:
    (path,) = series_of(1)
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = (
        "1.2.840.10008.5.1.4.1.1.88.33"
    )
    dataset.save_as(path)
    mine = stored([path])
    for tail in ("/frames/1", "/rendered", "/thumbnail"):
        assert client.get(mine.instance_url() + tail).status_code == 404
    assert client.get(f"{mine.url}/thumbnail").status_code == 404
    assert len(client.get(f"{mine.url}/metadata").json()) == 1


def test_rendered_with_window_viewport_and_type(
    client: TestClient, series_of: Make, stored: Store
) -> None:
    mine = stored(series_of(1))
    url = f"{mine.instance_url()}/rendered"

    def picture(query: str, accept: str = "image/png") -> Image.Image:
        answer = client.get(f"{url}?{query}", headers={"Accept": accept})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == accept
        return Image.open(io.BytesIO(answer.content))

    # value at row y, column x is y + 2 x - 1000 HU; PS3.3 §C.11.2.1.2.1 by hand:
    y, x = np.mgrid[0:32, 0:32]
    hu = y + 2.0 * x - 1000
    expected = np.clip(((hu - (-960 - 0.5)) / (60 - 1) + 0.5) * 255, 0, 255)
    shown = np.asarray(picture("window=-960,60,linear"), dtype=float)
    assert np.abs(shown - expected).max() <= 0.5 + 1e-3
    assert picture("viewport=64,200").size == (64, 64)
    assert picture("viewport=8,8,0,0,16,16").size == (8, 8)
    flipped = np.asarray(picture("window=-960,60,linear&viewport=32,32,0,0,-32,32"))
    np.testing.assert_array_equal(flipped, np.asarray(shown)[:, ::-1])
    assert picture("", "image/jpeg").format == "JPEG"
    assert client.get(url, headers={"Accept": "image/*"}).headers["content-type"] == "image/jpeg"
    assert client.get(url, headers={"Accept": "image/gif"}).status_code == 406


@pytest.mark.parametrize(
    "query",
    [
        "viewport=100000,100000",
        "viewport=8193,1",
        "viewport=0,5",
        "viewport=nan,1",
        "viewport=1e400,1",
        "viewport=a",
        "viewport=10,10,500,500,10,10",
        "window=1",
        "window=0,0,linear",
        "window=nan,1,linear",
        "window=1,2,cubic",
        "quality=0",
        "quality=x",
    ],
)
def test_parameters_out_of_bounds(
    client: TestClient, series_of: Make, stored: Store, query: str
) -> None:
    mine = stored(series_of(1))
    answer = client.get(f"{mine.instance_url()}/rendered?{query}")
    assert answer.status_code == 400, answer.text


def test_thumbnails_are_prepared_once_and_follow_the_series(
    client: TestClient, series_of: Make, stored: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ennead_pacs.prepare import thumbnail

    made = []
    original = thumbnail.frame_image

    def counted(path: Path, *args: Any, **more: Any) -> Image.Image:
        made.append(path)
        return original(path, *args, **more)

    monkeypatch.setattr(thumbnail, "frame_image", counted)
    files = series_of(5)
    mine = stored(files[:3])
    for url in (f"{mine.url}/thumbnail", f"/dicom-web/studies/{mine.study}/thumbnail"):
        answer = client.get(url, headers={"Accept": "image/jpeg"})
        assert answer.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.content)).size == (256, 256)
    assert len(made) == 1
    stored(files[3:])
    grown = client.get(f"{mine.url}/thumbnail")
    assert grown.headers["etag"] != answer.headers["etag"]
    assert len(made) == 2


def test_a_code_stream_that_lies_is_not_decoded(
    client: TestClient, series_of: Make, stored: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J2K SIZ of 60 000 squared inside an image of 32 squared (hostile inputs, case 24)."""
    from ennead_pacs.rendering import pool

    mine = stored(series_of(1, transfer_syntax=JPEG2000Lossless))

    def never(*_: object) -> None:
        raise AssertionError("the decoder was called")

    monkeypatch.setattr(pool.DecoderPool, "decode", never)
    monkeypatch.setattr(pool.DecoderPool, "decode_all", never)
    from ennead_pacs.rendering import decode

    original = decode.joined

    def patched(file: Any, spans: Any) -> bytes:
        data = bytearray(original(file, spans))
        struct.pack_into(">LL", data, 8, 60_000, 60_000)
        return bytes(data)

    monkeypatch.setattr(decode, "joined", patched)
    answer = client.get(f"{mine.instance_url()}/rendered")
    assert (answer.status_code, answer.json()["code"]) == (406, "ENN-0207")
    assert client.get(mine.instance_url()).status_code == 200

"""dicomweb-client, which shares no code with us, over a real socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from pydicom.uid import JPEGLSLossless

Make = Callable[..., list[Path]]


@pytest.fixture
def peer(address: str, token: Callable[[str], str]) -> DICOMwebClient:
    headers = {"Authorization": f"Bearer {token('admin')}"}
    return DICOMwebClient(f"{address}/dicom-web", headers=headers)


def test_store_search_retrieve(peer: DICOMwebClient, series_of: Make, address: str) -> None:
    datasets = [pydicom.dcmread(f) for f in series_of(3, PatientName="Trần^Thị^Ánh")]
    study, series = datasets[0].StudyInstanceUID, datasets[0].SeriesInstanceUID
    answer = peer.store_instances(datasets)
    assert len(answer.ReferencedSOPSequence) == 3

    (found,) = peer.search_for_studies(search_filters={"PatientName": "tran*"}, fuzzymatching=True)
    assert found["0020000D"]["Value"] == [study]
    assert len(peer.search_for_series(study)) == 1
    assert len(peer.search_for_instances(study, series, fields=["ImagePositionPatient"])) == 3

    headers = peer.retrieve_series_metadata(study, series)
    assert [h["00080018"]["Value"][0] for h in headers] == [d.SOPInstanceUID for d in datasets]
    assert peer.retrieve_instance(study, series, datasets[1].SOPInstanceUID) == datasets[1]
    assert peer.retrieve_series(study, series) == datasets
    assert peer.retrieve_study(study) == datasets

    (frame,) = peer.retrieve_instance_frames(study, series, datasets[2].SOPInstanceUID, [1])
    assert frame == datasets[2].PixelData
    (bulk,) = peer.retrieve_bulkdata(address + headers[2]["7FE00010"]["BulkDataURI"])
    assert bulk == datasets[2].PixelData
    picture = peer.retrieve_instance_rendered(
        study, series, datasets[0].SOPInstanceUID, media_types=("image/png",)
    )
    assert picture.startswith(b"\x89PNG")


def test_compressed_frames_in_their_own_media_type(peer: DICOMwebClient, series_of: Make) -> None:
    (dataset,) = [pydicom.dcmread(f) for f in series_of(1, transfer_syntax=JPEGLSLossless)]
    peer.store_instances([dataset])
    where: Any = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    (encoded,) = peer.retrieve_instance_frames(
        *where, [1], media_types=(("image/jls", "1.2.840.10008.1.2.4.80"),)
    )
    import imagecodecs

    expected = imagecodecs.jpegls_decode(encoded)
    (plain,) = peer.retrieve_instance_frames(
        *where, [1], media_types=(("application/octet-stream", "1.2.840.10008.1.2.1"),)
    )
    np.testing.assert_array_equal(np.frombuffer(plain, "<u2").reshape(32, 32), expected)
    explicit = peer.retrieve_instance(
        *where, media_types=(("application/dicom", "1.2.840.10008.1.2.1"),)
    )
    np.testing.assert_array_equal(explicit.pixel_array, expected)

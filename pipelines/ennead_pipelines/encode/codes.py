"""Concepts as DICOM writes them, and the ones the templates need (PS3.16)."""

from __future__ import annotations

from typing import Final

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from ennead.codes import PRIVATE_SCHEME, PRIVATE_SCHEME_UID, Code, dcm, sct
from ennead_pipelines.encode.items import as_dataset, code_item

# Document (TID 1500, 1204, 1002–1004, 1600–1604).
IMAGING_MEASUREMENT_REPORT: Final = dcm("126000", "Imaging Measurement Report")
LANGUAGE: Final = dcm("121049", "Language of Content Item and Descendants")
OBSERVER_TYPE: Final = dcm("121005", "Observer Type")
PERSON: Final = dcm("121006", "Person")
DEVICE: Final = dcm("121007", "Device")
PERSON_NAME: Final = dcm("121008", "Person Observer Name")
PERSON_ORGANISATION: Final = dcm("121009", "Person Observer's Organization Name")
DEVICE_UID: Final = dcm("121012", "Device Observer UID")
DEVICE_NAME: Final = dcm("121013", "Device Observer Name")
DEVICE_MANUFACTURER: Final = dcm("121014", "Device Observer Manufacturer")
DEVICE_MODEL: Final = dcm("121015", "Device Observer Model Name")
DEVICE_SERIAL: Final = dcm("121016", "Device Observer Serial Number")
PROCEDURE_REPORTED: Final = dcm("121058", "Procedure reported")
COMMENT: Final = dcm("121106", "Comment")
IMAGE_LIBRARY: Final = dcm("111028", "Image Library")
IMAGE_LIBRARY_GROUP: Final = dcm("126200", "Image Library Group")
SOURCE: Final = sct("260753009", "Source")
MODALITY: Final = dcm("121139", "Modality")
FRAME_OF_REFERENCE: Final = dcm("112227", "Frame of Reference UID")
HORIZONTAL_SPACING: Final = dcm("111026", "Horizontal Pixel Spacing")
VERTICAL_SPACING: Final = dcm("111066", "Vertical Pixel Spacing")
SPACING_BETWEEN_SLICES: Final = dcm("112226", "Spacing between slices")
SLICE_THICKNESS: Final = dcm("112225", "Slice Thickness")

# Measurement groups (TID 1411, 1501, 4019, 300).
IMAGING_MEASUREMENTS: Final = dcm("126010", "Imaging Measurements")
MEASUREMENT_GROUP: Final = dcm("125007", "Measurement Group")
TRACKING_ID: Final = dcm("112039", "Tracking Identifier")
TRACKING_UID: Final = dcm("112040", "Tracking Unique Identifier")
FINDING_CATEGORY: Final = sct("276214006", "Finding category")
FINDING: Final = dcm("121071", "Finding")
FINDING_SITE: Final = sct("363698007", "Finding Site")
LATERALITY: Final = sct("272741003", "Laterality")
ALGORITHM_NAME: Final = dcm("111001", "Algorithm Name")
ALGORITHM_VERSION: Final = dcm("111003", "Algorithm Version")
ALGORITHM_PARAMETERS: Final = dcm("111002", "Algorithm Parameters")
ALGORITHM_FAMILY: Final = dcm("111000", "Algorithm Family")
MEASUREMENT_METHOD: Final = sct("370129005", "Measurement Method")
DERIVATION: Final = dcm("121401", "Derivation")
METHOD_CITATION: Final = dcm("121423", "Method Citation")
PRESENCE: Final = dcm("121052", "Presence of property")
REFERENCED_SEGMENT: Final = dcm("121191", "Referenced Segment")
SOURCE_SERIES: Final = dcm("121232", "Source series for segmentation")
SOURCE_OF_MEASUREMENT: Final = dcm("121112", "Source of Measurement")

# Segmentation.
SEGMENTATION: Final = dcm("113076", "Segmentation")
SOURCE_IMAGE: Final = dcm("121322", "Source image for image processing operation")
PROCESSING_EQUIPMENT: Final = dcm("109102", "Processing Equipment")

#: Language of the document (TID 1204, RFC 5646).
LANGUAGES: Final = {
    "en": Code("en-US", "RFC5646", "English (United States)"),
    "vi": Code("vi-VN", "RFC5646", "Vietnamese (Vietnam)"),
}

MODALITIES: Final = {
    "CT": dcm("CT", "Computed Tomography"),
    "MR": dcm("MR", "Magnetic Resonance"),
    "PT": dcm("PT", "Positron emission tomography"),
    "CR": dcm("CR", "Computed Radiography"),
    "DX": dcm("DX", "Digital Radiography"),
    "MG": dcm("MG", "Mammography"),
    "NM": dcm("NM", "Nuclear Medicine"),
    "US": dcm("US", "Ultrasound"),
}


def coded(code: Code) -> CodedConcept:
    """``code`` as highdicom takes it."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def code_dataset(code: Code) -> Dataset:
    """``code`` as an item of a code sequence (PS3.3 §8.8), for objects built as datasets."""
    return as_dataset(code_item(code))


def read_code(item: Dataset) -> Code:
    """The concept of a code item."""
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue") or ""
    return Code(str(value), str(item.CodingSchemeDesignator), str(item.get("CodeMeaning", "")))


def coding_scheme_items() -> list[Dataset]:
    """Who defines the private scheme (PS3.3 §C.12.1, Coding Scheme Identification Sequence)."""
    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE_SCHEME
    item.CodingSchemeUID = PRIVATE_SCHEME_UID
    item.CodingSchemeName = "Ennead private concepts"
    item.CodingSchemeVersion = "1"
    item.CodingSchemeResponsibleOrganization = "Ennead"
    return [item]

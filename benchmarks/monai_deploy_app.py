"""A MONAI Deploy application: load, select, volume, threshold, DICOM SEG; prints its seconds.

    python monai_deploy_app.py INPUT_FOLDER OUTPUT_FOLDER

Runs in an interpreter of its own with monai-deploy-app-sdk 4.0, highdicom, pydicom, SimpleITK,
torch and monai installed. The work is the same as that of a package that marks lung-like voxels.
"""

import json
import sys
import time
from pathlib import Path

BEGAN = time.perf_counter()

from monai.deploy.conditions import CountCondition  # noqa: E402
from monai.deploy.core import Application, Fragment, Image, Operator, OperatorSpec  # noqa: E402
from monai.deploy.operators import (  # noqa: E402
    DICOMDataLoaderOperator,
    DICOMSegmentationWriterOperator,
    DICOMSeriesSelectorOperator,
    DICOMSeriesToVolumeOperator,
)
from monai.deploy.operators.dicom_seg_writer_operator import SegmentDescription  # noqa: E402
from pydicom.sr.codedict import codes  # noqa: E402

IMPORTED = time.perf_counter()
OWN = [0.0]


class Threshold(Operator):
    """Voxels between -1000 and -500 HU."""

    def __init__(self, fragment: Fragment, *args, **kwargs):
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec):
        spec.input("image")
        spec.output("seg_image")

    def compute(self, op_input, op_output, context):
        began = time.perf_counter()
        image = op_input.receive("image")
        values = image.asnumpy()
        mask = ((values > -1000) & (values < -500)).astype("uint8")
        OWN[0] = time.perf_counter() - began
        op_output.emit(Image(mask, image.metadata()), "seg_image")


class Lungs(Application):
    """The five operators in a row."""

    def compose(self):
        source, target = Path(sys.argv[1]), Path(sys.argv[2])
        loader = DICOMDataLoaderOperator(
            self, CountCondition(self, 1), input_folder=source, name="loader"
        )
        selector = DICOMSeriesSelectorOperator(self, name="selector")
        volume = DICOMSeriesToVolumeOperator(self, name="volume")
        threshold = Threshold(self, name="threshold")
        described = SegmentDescription(
            segment_label="Lung",
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=codes.SCT.Lung,
            algorithm_name="threshold",
            algorithm_family=codes.DCM.ArtificialIntelligence,
            algorithm_version="1",
        )
        writer = DICOMSegmentationWriterOperator(
            self, segment_descriptions=[described], output_folder=target, name="writer"
        )
        self.add_flow(loader, selector, {("dicom_study_list", "dicom_study_list")})
        self.add_flow(
            selector, volume, {("study_selected_series_list", "study_selected_series_list")}
        )
        self.add_flow(volume, threshold, {("image", "image")})
        self.add_flow(
            selector, writer, {("study_selected_series_list", "study_selected_series_list")}
        )
        self.add_flow(threshold, writer, {("seg_image", "seg_image")})


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
    Lungs(argv=[sys.argv[0]]).run()
    done = time.perf_counter()
    written = list(Path(sys.argv[2]).rglob("*.dcm"))
    if not written:
        raise SystemExit("no segmentation was written")
    print(
        json.dumps(
            {
                "imports": IMPORTED - BEGAN,
                "work without its own threshold": done - IMPORTED - OWN[0],
                "total without its own threshold": done - BEGAN - OWN[0],
            }
        )
    )

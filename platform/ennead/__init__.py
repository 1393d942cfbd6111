"""Ennead: a RIS-PACS whose specialty imaging packages write DICOM SEG and SR.

This package is the floor of the house. It imports nothing above itself: services and
packages are found through the entry-point groups ``ennead.services`` and ``ennead.packages``.
"""

__version__ = "0.1.0"

"""The DICOM standard as data: Table E.1-1, IODs, the dictionary, UIDs and codes.

Facts only: nothing here decides what happens to an instance. The files in `data/` are made by
scripts/build_standard; they are read on first use and never need pydicom.
"""

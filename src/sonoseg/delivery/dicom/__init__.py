"""Prediction -> DICOM objects that an archive keeps. Needs the extra ``dicom``."""

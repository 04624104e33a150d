"""Instances to measure on, invented from a seed: the same seed gives the same bytes, and nobody is in them.

Five shapes, as modalities send them: CT and MR slices, ultrasound loops plain and as JPEG, and enhanced multi-frame
objects with a functional group per frame. Every one holds names, dates, UIDs and private blocks to be found and
changed. One in four writes its sequences with undefined lengths. Frames of the JPEG shape are JPEG in their first and
last bytes only: nothing that is measured here decodes pixels.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from random import Random

import numpy as np

from karnak.testing.specimen import (
    EXPLICIT,
    JPEG_BASELINE,
    Element,
    Fragments,
    Item,
    Items,
    Leaf,
    Specimen,
    leaf,
    part10,
    sequence,
)

SEED = 3
# Root of the invented UIDs; what begins with it identifies something.
ROOT = "1.2.826.0.1.3680043.10.1447"

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
US_MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
_MODALITY = {CT: "CT", MR: "MR", US_MULTI_FRAME: "US", ENHANCED_CT: "CT", ENHANCED_MR: "MR"}

INSTANCES_PER_SERIES = 50
_FAMILY_NAMES = "Abel Brandt Castel Duval Ekman Farkas Grieg Hallas Ivanov Jansen Kowal Lindt".split()
_GIVEN_NAMES = "Ada Bo Cleo Dag Else Finn Gita Hans Iris Joel Kaja Leo".split()
_WORDS = "follow-up contrast knee chest staging pain fever implant fall fracture oedema biopsy".split()


@dataclass(frozen=True, slots=True)
class Invented:
    """Where invented values come from; equal seeds and places give equal values.

    Attributes:
        seed: of the whole corpus.
        place: what the values belong to, as "study/3".
        draw: the draws of this place.
    """

    seed: int
    place: str
    draw: Random

    @classmethod
    def of(cls, seed: int, place: str) -> "Invented":
        return cls(seed, place, Random(f"{seed}/{place}"))

    def uid(self, what: str) -> str:
        """A UID that depends on the place and on what it names."""
        number = int.from_bytes(sha256(f"{self.seed}/{self.place}/{what}".encode()).digest()[:11])
        return f"{ROOT}.{number}"

    def name(self) -> str:
        return f"{self.draw.choice(_FAMILY_NAMES)}^{self.draw.choice(_GIVEN_NAMES)}^{self.draw.choice('KLMNP')}"

    def date(self, first_year: int, last_year: int) -> str:
        year = self.draw.randint(first_year, last_year)
        return f"{year}{self.draw.randint(1, 12):02}{self.draw.randint(1, 28):02}"

    def time(self) -> str:
        hours, minutes, seconds = self.draw.randrange(24), self.draw.randrange(60), self.draw.randrange(60)
        return f"{hours:02}{minutes:02}{seconds:02}.{self.draw.randrange(10**6):06}"

    def text(self, words: int) -> str:
        return " ".join(self.draw.choices(_WORDS, k=words))

    def number(self, prefix: str, digits: int) -> str:
        return f"{prefix}{self.draw.randrange(10 ** (digits - 1), 10**digits)}"

    def decimal(self, most: float) -> str:
        return f"{self.draw.random() * most:.5f}"


@dataclass(frozen=True, slots=True)
class Place:
    """Which instance of the corpus this is.

    Attributes:
        seed: of the whole corpus.
        shape: name of its shape.
        number: from 0; every INSTANCES_PER_SERIES the next series begins, every other series the next study.
    """

    seed: int
    shape: str
    number: int

    @property
    def patient(self) -> Invented:
        return Invented.of(self.seed, f"{self.shape}/patient/{self.number // (2 * INSTANCES_PER_SERIES)}")

    @property
    def study(self) -> Invented:
        return Invented.of(self.seed, f"{self.shape}/study/{self.number // (2 * INSTANCES_PER_SERIES)}")

    @property
    def series(self) -> Invented:
        return Invented.of(self.seed, f"{self.shape}/series/{self.number // INSTANCES_PER_SERIES}")

    @property
    def instance(self) -> Invented:
        return Invented.of(self.seed, f"{self.shape}/instance/{self.number}")

    @property
    def pixels(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.number])


def _code(value: str, scheme: str, meaning: str) -> list[Element]:
    return [leaf("CodeValue", value), leaf("CodingSchemeDesignator", scheme), leaf("CodeMeaning", meaning)]


def _reference(sop_class_uid: str, sop_instance_uid: str, *more: Element) -> list[Element]:
    return [leaf("ReferencedSOPClassUID", sop_class_uid), leaf("ReferencedSOPInstanceUID", sop_instance_uid), *more]


def _leaves(**values: str | float | tuple[float, ...]) -> list[Element]:
    return [leaf(keyword, value) for keyword, value in values.items()]


def _patient(of: Invented) -> list[Element]:
    """The patient, and what a hospital writes about patients."""
    other_ids = (
        [
            *_leaves(PatientID=of.number("ALT", 6), IssuerOfPatientID="INSURANCE", TypeOfPatientID="TEXT"),
            sequence("IssuerOfPatientIDQualifiersSequence", _leaves(UniversalEntityID="1.2.3.9")),
        ]
        for _ in range(2)
    )
    return [
        *_leaves(
            PatientName=of.name(),
            PatientID=of.number("PAT", 7),
            IssuerOfPatientID="NORTH CLINIC",
            PatientBirthDate=of.date(1925, 2010),
            PatientBirthTime=of.time(),
            PatientSex=of.draw.choice("FMO"),
            OtherPatientNames=of.name(),
            PatientBirthName=of.name(),
            PatientMotherBirthName=of.name(),
            PatientAge=f"{of.draw.randint(18, 89):03}Y",
            PatientSize="1.71",
            PatientWeight="74.2",
            PatientAddress=f"{of.draw.randint(1, 99)} Harbour Row, 4711 Fairhaven",
            MedicalAlerts="pacemaker",
            Allergies="latex",
            CountryOfResidence="NO",
            RegionOfResidence="coast",
            PatientTelephoneNumbers=of.number("+47 55", 6),
            EthnicGroup="not said",
            Occupation="carpenter",
            SmokingStatus="NO",
            AdditionalPatientHistory=f"operated 2001 by {of.name()}",
            PregnancyStatus=4,
            PatientReligiousPreference="none",
            PatientComments=f"brought by {of.name()}",
            ClinicalTrialSponsorName="Fairhaven Trials",
            ClinicalTrialProtocolID="FT-12",
            ClinicalTrialSubjectID=of.number("S-", 3),
        ),
        sequence("OtherPatientIDsSequence", *other_ids),
    ]


def _study(of: Invented, patient: Invented) -> list[Element]:
    """The study, the visit and who had to do with it."""
    date = of.date(2012, 2025)
    reader = [
        sequence("PersonIdentificationCodeSequence", _code(of.number("", 4), "99STAFF", "physician")),
        *_leaves(PersonAddress="2 Quay Lane", PersonTelephoneNumbers=of.number("+47 56", 6)),
        leaf("InstitutionName", "Fairhaven General"),
    ]
    return [
        *_leaves(
            StudyDate=date,
            SeriesDate=date,
            AcquisitionDate=date,
            ContentDate=date,
            PerformedProcedureStepStartDate=date,
            PerformedProcedureStepEndDate=date,
            AdmittingDate=date,
            IssueDateOfImagingServiceRequest=date,
            StudyTime=of.time(),
            AdmittingTime=of.time(),
            PerformedProcedureStepStartTime=of.time(),
            PerformedProcedureStepEndTime=of.time(),
            AccessionNumber=of.number("ACC", 7),
            StudyID=of.number("ST", 4),
            StudyInstanceUID=of.uid("study"),
            FrameOfReferenceUID=of.uid("frame of reference"),
            SynchronizationFrameOfReferenceUID=of.uid("synchronization"),
            StudyDescription=f"{of.text(3)} {patient.name().split('^')[0]}",
            StudyStatusID="COMPLETED",
            StudyComments="urgent",
            AdmissionID=of.number("ADM", 6),
            InstitutionName="Fairhaven General",
            InstitutionAddress="1 Quay Lane, 4711 Fairhaven",
            InstitutionalDepartmentName="Radiology 2",
            ReferringPhysicianName=of.name(),
            ReferringPhysicianAddress="8 Market Square, 4712 Fairhaven",
            ReferringPhysicianTelephoneNumbers=f"{of.number('+47 57', 6)}\\{of.number('+47 58', 6)}",
            PhysiciansOfRecord=f"{of.name()}\\{of.name()}",
            PerformingPhysicianName=of.name(),
            NameOfPhysiciansReadingStudy=of.name(),
            OperatorsName=of.name(),
            RequestingPhysician=of.name(),
            ScheduledPerformingPhysicianName=of.name(),
            NamesOfIntendedRecipientsOfResults=of.name(),
            PersonName=of.name(),
            OrderEnteredBy=of.name(),
            AdmittingDiagnosesDescription=of.text(2),
            RequestingService="ward 4",
            RequestedContrastAgent="agent 300",
            RequestedProcedureDescription=of.text(2),
            RequestedProcedureID=of.number("RP", 4),
            RequestedProcedureLocation="building 3",
            ReasonForTheRequestedProcedure=of.text(1),
            ReasonForTheImagingServiceRequest=of.text(1),
            ImagingServiceRequestComments="please hurry",
            PlacerOrderNumberImagingServiceRequest=of.number("PO", 6),
            FillerOrderNumberImagingServiceRequest=of.number("FO", 6),
            OrderEntererLocation="outpatients",
            OrderCallbackPhoneNumber=of.number("+47 59", 6),
            ConfidentialityConstraintOnPatientDataDescription="staff member",
            CurrentPatientLocation="ward 4 room 12",
            PatientInstitutionResidence="house 7",
            PatientState="fasting",
            SpecialNeeds="wheelchair",
            PerformedProcedureStepID=of.number("PP", 4),
            PerformedProcedureStepDescription=of.text(2),
            CommentsOnThePerformedProcedureStep="no remarks",
            PerformedStationAETitle="SCANNER_1",
            PerformedStationName="ROOM 1",
            PerformedLocation="building 3",
        ),
        sequence("ReferencedStudySequence", _reference("1.2.840.10008.3.1.2.3.1", of.uid("another study"))),
        sequence("ReferencedPatientSequence", _reference("1.2.840.10008.3.1.2.1.1", patient.uid("patient"))),
        sequence(
            "ReferencedPerformedProcedureStepSequence",
            _reference(
                "1.2.840.10008.3.1.2.3.3",
                of.uid("performed step"),
                leaf("InstanceCreationDate", date),
                leaf("InstanceCreatorUID", of.uid("creator")),
            ),
        ),
        sequence("ProcedureCodeSequence", _code("P1", "99FH", "first part"), _code("P2", "99FH", "second part")),
        sequence("RequestedProcedureCodeSequence", _code("R1", "99FH", "as requested")),
        sequence("PerformedProtocolCodeSequence", [*_code("A1", "99FH", "as done"), leaf("CodingSchemeVersion", "2")]),
        sequence("PhysiciansOfRecordIdentificationSequence", reader),
        sequence(
            "RequestAttributesSequence",
            [
                *_leaves(RequestedProcedureID="RP1", ScheduledProcedureStepID="SP1"),
                leaf("ScheduledProcedureStepDescription", of.text(2)),
                leaf("ReasonForTheRequestedProcedure", of.text(2)),
                sequence("ScheduledProtocolCodeSequence", _code("A1", "99FH", "as planned")),
            ],
        ),
    ]


def _equipment(of: Invented) -> list[Element]:
    return _leaves(
        Manufacturer="ANVIL IMAGING",
        ManufacturerModelName="Tidal 64",
        StationName=of.number("ROOM", 2),
        DeviceSerialNumber=of.number("SN", 6),
        DeviceUID=of.uid("device"),
        SoftwareVersions="6.1\\patch 4",
        DateOfLastCalibration=of.date(2011, 2012),
        TimeOfLastCalibration="070000",
        ContrastBolusAgent="agent 300",
        ContrastBolusRoute="IV",
        BodyPartExamined="CHEST",
        ProtocolName="chest standard",
        AcquisitionDeviceProcessingDescription="standard",
        PatientPosition="HFS",
        TimezoneOffsetFromUTC="+0100",
    )


def _instance(place: Place, sop_class_uid: str) -> list[Element]:
    of, study, series = place.instance, place.study, place.series
    date = of.date(2012, 2025)
    images = (
        _reference(
            sop_class_uid,
            series.uid(f"localizer {number}"),
            sequence("PurposeOfReferenceCodeSequence", _code("121311", "DCM", "Localizer")),
        )
        for number in range(2)
    )
    return [
        *_leaves(
            SpecificCharacterSet="ISO_IR 100",
            ImageType="ORIGINAL\\PRIMARY\\AXIAL",
            InstanceCreationDate=date,
            InstanceCreationTime=of.time(),
            InstanceCreatorUID=study.uid("creator"),
            SOPClassUID=sop_class_uid,
            SOPInstanceUID=of.uid("instance"),
            Modality=_MODALITY[sop_class_uid],
            AcquisitionDateTime=date + of.time(),
            AcquisitionTime=of.time(),
            ContentTime=of.time(),
            SeriesTime=series.time(),
            SeriesDescription=f"{series.text(2)} B30",
            SeriesInstanceUID=series.uid("series"),
            SeriesNumber=str(place.number // INSTANCES_PER_SERIES + 1),
            AcquisitionNumber="1",
            InstanceNumber=str(place.number + 1),
            IrradiationEventUID=series.uid("irradiation"),
            DerivationDescription=f"reformatted for {series.name()}",
            ImageComments=f"seen by {series.name()}",
            PositionReferenceIndicator="SN",
            BurnedInAnnotation="NO",
            WindowCenter="40\\300",
            WindowWidth="400\\1500",
            WindowCenterWidthExplanation="SOFT\\BONE",
            RescaleIntercept="-1024",
            RescaleSlope="1",
            RescaleType="HU",
        ),
        sequence("ReferencedImageSequence", *images),
        sequence(
            "SourceImageSequence",
            _reference(
                sop_class_uid,
                of.uid("source"),
                sequence("PurposeOfReferenceCodeSequence", _code("121322", "DCM", "Source")),
            ),
        ),
        sequence(
            "AnatomicRegionSequence",
            [
                *_code("51185008", "SCT", "Chest"),
                sequence("AnatomicRegionModifierSequence", _code("30730003", "SCT", "Sagittal")),
            ],
        ),
    ]


def _private(of: Invented, study: Invented) -> list[Element]:
    """Three private blocks with 40 elements: texts, numbers, and a large value of unknown structure."""
    texts = [leaf(0x00091001 + i, f"private {of.draw.randrange(10**6)}", "LO") for i in range(10)]
    numbers = [leaf(0x00191001 + i, of.decimal(100), "DS") for i in range(20)]
    return [
        leaf(0x00090010, "ANVIL IDENT", "LO"),
        *texts,
        leaf(0x00091020, of.name(), "PN"),
        leaf(0x00091021, of.uid("private"), "UI"),
        leaf(0x00091022, study.date(2012, 2025), "DA"),
        leaf(0x00190010, "ANVIL SCAN", "LO"),
        *numbers,
        leaf(0x00290010, "ANVIL HEADER", "LO"),
        leaf(0x00291008, "IMAGE 4", "CS"),
        leaf(0x00291009, "20150101", "LO"),
        leaf(0x00291010, of.draw.randbytes(4096), "OB"),
        sequence(0x00291011, [leaf("StudyInstanceUID", study.uid("study")), leaf("PatientID", of.number("PAT", 7))]),
        leaf(0x00291012, b"opaque" * 20, "UN"),
    ]


def _header(place: Place, sop_class_uid: str) -> list[Element]:
    """What all shapes have in common: about 250 elements, sequences two deep, three private blocks."""
    return [
        *_instance(place, sop_class_uid),
        *_patient(place.patient),
        *_study(place.study, place.patient),
        *_equipment(place.study),
        *_private(place.instance, place.study),
    ]


def _image(rows: int, columns: int, bits: int, samples: int = 1, frames: int = 0, colour: str = "") -> list[Element]:
    planes = _leaves(PlanarConfiguration=0) if samples > 1 else []
    count = _leaves(NumberOfFrames=str(frames)) if frames else []
    return planes + count + _leaves(
        SamplesPerPixel=samples,
        PhotometricInterpretation=colour or "MONOCHROME2",
        Rows=rows,
        Columns=columns,
        BitsAllocated=16 if bits > 8 else 8,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
    )  # fmt: skip


def _slice(place: Place, rows: int, frames: int = 1) -> Leaf:
    """Noise around a level inside a disc, 12 of 16 bits."""
    y, x = np.mgrid[0:rows, 0:rows]
    disc = (y - rows / 2) ** 2 + (x - rows / 2) ** 2 < (0.4 * rows) ** 2
    noise = place.pixels.integers(960, 1160, (frames, rows, rows), np.uint16)
    return Leaf(0x7FE00010, "OW", np.where(disc, noise, np.uint16(24)).astype("<u2").tobytes())


def _position(number: int) -> list[Element]:
    return _leaves(
        SliceThickness="5",
        ImagePositionPatient=f"-180\\-180\\{-5 * number}",
        ImageOrientationPatient="1\\0\\0\\0\\1\\0",
        SliceLocation=str(-5 * number),
        PixelSpacing="0.703125\\0.703125",
    )


def ct(place: Place) -> Specimen:
    """A CT slice: 512 x 512, 16 bits, about 300 elements, 535 kB."""
    of = place.instance
    acquisition = _leaves(
        KVP="120",
        DataCollectionDiameter="500",
        ReconstructionDiameter="360",
        DistanceSourceToDetector="949",
        DistanceSourceToPatient="541",
        GantryDetectorTilt="0",
        TableHeight="143",
        RotationDirection="CW",
        ExposureTime="700",
        XRayTubeCurrent=str(of.draw.randint(100, 300)),
        Exposure="70",
        FilterType="BODY",
        GeneratorPower="36000",
        FocalSpots="1.2",
        ConvolutionKernel="B30",
        SingleCollimationWidth=0.6,
        TotalCollimationWidth=19.2,
        TableSpeed=23.0,
        SpiralPitchFactor=0.8,
        CTDIvol=of.draw.random() * 10,
        ScanOptions="HELICAL",
    )
    image = [*_position(place.number), *_image(512, 512, 12), _slice(place, 512)]
    return Specimen((*_header(place, CT), *acquisition, *image))


def mr(place: Place) -> Specimen:
    """An MR slice: 128 x 128, 16 bits, 44 kB."""
    acquisition = _leaves(
        ScanningSequence="SE",
        SequenceVariant="SK",
        MRAcquisitionType="2D",
        SequenceName="*se2d1",
        RepetitionTime="500",
        EchoTime="14",
        NumberOfAverages="2",
        ImagingFrequency="63.6",
        ImagedNucleus="1H",
        EchoNumbers="1",
        MagneticFieldStrength="1.5",
        SpacingBetweenSlices="6",
        EchoTrainLength="1",
        PixelBandwidth="130",
        FlipAngle="90",
        AcquisitionMatrix=(0, 128, 128, 0),
        SAR="0.03",
    )
    image = [*_position(place.number), *_image(128, 128, 12), _slice(place, 128)]
    return Specimen((*_header(place, MR), *acquisition, *image))


_LOOP_FRAMES, _LOOP_ROWS, _LOOP_COLUMNS = 30, 480, 640
_REGION = _leaves(
    RegionSpatialFormat=1, RegionDataType=1, RegionFlags=1, RegionLocationMinX0=80, RegionLocationMinY0=60,
    RegionLocationMaxX1=600, RegionLocationMaxY1=470, PhysicalUnitsXDirection=3, PhysicalUnitsYDirection=3,
    PhysicalDeltaX=0.05, PhysicalDeltaY=0.05,
)  # fmt: skip


def _loop(place: Place) -> list[Element]:
    return [
        *_header(place, US_MULTI_FRAME),
        *_leaves(FrameTime="33.3", FrameIncrementPointer=0x00181063),
        sequence("SequenceOfUltrasoundRegions", _REGION),
    ]


def us(place: Place) -> Specimen:
    """An ultrasound loop: 30 frames of 640 x 480 in RGB, 27.7 MB."""
    image = _image(_LOOP_ROWS, _LOOP_COLUMNS, 8, 3, _LOOP_FRAMES, "RGB")
    pixels = place.pixels.bytes(3 * _LOOP_FRAMES * _LOOP_ROWS * _LOOP_COLUMNS)
    return Specimen((*_loop(place), *image, Leaf(0x7FE00010, "OB", pixels)))


def us_jpeg(place: Place) -> Specimen:
    """An ultrasound loop as JPEG: 30 fragments with a basic offset table, 2 MB."""
    image = _image(_LOOP_ROWS, _LOOP_COLUMNS, 8, 3, _LOOP_FRAMES, "YBR_FULL_422")
    lossy = _leaves(LossyImageCompression="01", LossyImageCompressionRatio="14")
    pixels = place.pixels
    frames = []
    for _ in range(_LOOP_FRAMES):
        body = pixels.bytes(int(pixels.integers(32_000, 34_500)) * 2 - 4).replace(b"\xff", b"\xfe")
        frames.append(b"\xff\xd8" + body + b"\xff\xd9")
    offsets = np.cumsum([0] + [len(frame) + 8 for frame in frames[:-1]]).astype("<u4").tobytes()
    fragments = Fragments(0x7FE00010, (offsets, *frames))
    return Specimen((*_loop(place), *image, *lossy, fragments), transfer_syntax_uid=JPEG_BASELINE)


def _frame(place: Place, sop_class_uid: str, number: int, of: Invented, date: str) -> list[Element]:
    """The functional groups of one frame: about 59 elements."""
    content = _leaves(
        FrameAcquisitionNumber=number + 1,
        FrameReferenceDateTime=date + of.time(),
        FrameAcquisitionDateTime=date + of.time(),
        FrameAcquisitionDuration=0.5,
        StackID="1",
        InStackPositionNumber=number + 1,
        DimensionIndexValues=(1, number + 1),
        FrameComments=f"for {of.name()}",
    )
    source = _reference(
        sop_class_uid,
        of.uid(f"source {number}"),
        sequence("PurposeOfReferenceCodeSequence", _code("121322", "DCM", "Source")),
    )
    referenced = _reference(
        sop_class_uid,
        of.uid(f"referenced {number}"),
        leaf("ReferencedFrameNumber", str(number + 1)),
        sequence("PurposeOfReferenceCodeSequence", _code("121311", "DCM", "Localizer")),
    )
    frame_type = _leaves(
        FrameType="ORIGINAL\\PRIMARY\\VOLUME\\NONE",
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
    )
    if sop_class_uid == ENHANCED_CT:
        exposure = _leaves(
            ExposureTimeInms=500.0,
            XRayTubeCurrentInmA=200.0,
            ExposureInmAs=100.0,
            ExposureModulationType="NONE",
            CTDIvol=7.1,
        )
        centre = (0.0, 0.0, float(number))
        table = _leaves(
            TablePosition=float(number), DataCollectionCenterPatient=centre, ReconstructionTargetCenterPatient=centre
        )
        event = _leaves(IrradiationEventUID=place.series.uid("irradiation"))
        specific = [
            sequence("CTImageFrameTypeSequence", frame_type),
            sequence("CTExposureSequence", exposure),
            sequence("CTPositionSequence", table),
            sequence("IrradiationEventIdentificationSequence", event),
        ]
    else:
        contrast = _leaves(ComplexImageComponent="MAGNITUDE", AcquisitionContrast="T1")
        timing = _leaves(RepetitionTime="500", FlipAngle="90", EchoTrainLength="1")
        specific = [
            sequence("MRImageFrameTypeSequence", [*frame_type, *contrast]),
            sequence("MREchoSequence", _leaves(EffectiveEchoTime=14.0)),
            sequence("MRAveragesSequence", _leaves(NumberOfAverages="2")),
            sequence("MRTimingAndRelatedParametersSequence", timing),
        ]
    return [
        sequence("FrameContentSequence", content),
        sequence("PlanePositionSequence", _leaves(ImagePositionPatient=f"-180\\-180\\{number}")),
        sequence("FrameVOILUTSequence", _leaves(WindowCenter="40", WindowWidth="400")),
        sequence(
            "PixelValueTransformationSequence",
            _leaves(RescaleIntercept="-1024", RescaleSlope="1", RescaleType="HU"),
        ),
        sequence("ReferencedImageSequence", referenced),
        sequence(
            "DerivationImageSequence",
            [
                leaf("DerivationDescription", "reformatted"),
                sequence("DerivationCodeSequence", _code("113076", "DCM", "Segmentation")),
                sequence("SourceImageSequence", source),
            ],
        ),
        *specific,
        leaf(0x00210010, "ANVIL FRAME", "LO"),
        leaf(0x00211001, f"frame {number} {of.draw.randrange(10**6)}", "LO"),
        leaf(0x00211002, of.decimal(1), "DS"),
    ]


def enhanced(place: Place, frames: int = 200, rows: int = 128) -> Specimen:
    """An enhanced CT or MR object: functional groups of 200 frames, about 12,000 elements, 6.8 MB.

    Args:
        place: which one; even numbers are CT.
        frames: how many there are, each with about 59 elements.
        rows: rows and columns of a frame.
    """
    sop_class_uid = ENHANCED_MR if place.number % 2 else ENHANCED_CT
    of = place.instance
    date = place.study.date(2012, 2025)
    dimensions = of.uid("dimensions")
    shared = [
        sequence("PixelMeasuresSequence", _leaves(SliceThickness="1", PixelSpacing="0.7\\0.7")),
        sequence("PlaneOrientationSequence", _leaves(ImageOrientationPatient="1\\0\\0\\0\\1\\0")),
    ]
    index = [
        leaf("DimensionOrganizationUID", dimensions),
        leaf("DimensionIndexPointer", 0x00209057),
        leaf("FunctionalGroupPointer", 0x00209111),
    ]
    groups = (_frame(place, sop_class_uid, number, of, date) for number in range(frames))
    return Specimen(
        (
            *_header(place, sop_class_uid),
            *_image(rows, rows, 12, frames=frames),
            sequence("SharedFunctionalGroupsSequence", shared),
            sequence("PerFrameFunctionalGroupsSequence", *groups),
            sequence("DimensionOrganizationSequence", [leaf("DimensionOrganizationUID", dimensions)]),
            sequence("DimensionIndexSequence", index),
            _slice(place, rows, frames),
        )
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of instance.

    Attributes:
        name: names its folder.
        title: as tables show it.
        make: makes one, its elements in any order.
    """

    name: str
    title: str
    make: Callable[[Place], Specimen]


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("ct", "CT 535 kB", ct),
        Shape("mr", "MR 44 kB", mr),
        Shape("us", "US 27.7 MB", us),
        Shape("us-jpeg", "US JPEG 2 MB", us_jpeg),
        Shape("enhanced", "enhanced 6.8 MB", enhanced),
    )
}


def specimen(shape: str, number: int, seed: int = SEED) -> Specimen:
    """Make one instance as a tree.

    Args:
        shape: a name of SHAPES.
        number: which one, from 0; every fourth has sequences of undefined length.
        seed: of the corpus.
    """
    place = Place(seed, shape, number)
    return finished(SHAPES[shape].make(place), undefined_lengths=number % 4 == 3)


def finished(made: Specimen, *, undefined_lengths: bool = False) -> Specimen:
    """Put the elements of an instance into their order, and give its file meta information a sender."""
    elements = tuple(sorted(made.elements, key=lambda element: element.tag))
    if undefined_lengths:
        elements = tuple(map(_without_length, elements))
    sender = (leaf(0x00020013, "CORPUS", "SH"), leaf(0x00020016, "SCANNER_1", "AE"))
    return replace(made, elements=elements, meta=sender)


def _without_length(element: Element) -> Element:
    if not isinstance(element, Items):
        return element
    items = tuple(Item(tuple(map(_without_length, item.elements)), undefined_length=True) for item in element.items)
    return replace(element, items=items, undefined_length=True)


def instance(shape: str, number: int, seed: int = SEED) -> bytes:
    """Make one instance as a Part 10 file; arguments as for `specimen`."""
    return part10(specimen(shape, number, seed))


def sized(elements: int, number: int = 0, seed: int = SEED) -> bytes:
    """Make an enhanced object with about as many elements, and hardly any pixels; even numbers are CT."""
    place = Place(seed, "enhanced", number)
    none, one = (sum(1 for _ in leaves(enhanced(place, frames, 2).elements)) for frames in (0, 1))
    return part10(finished(enhanced(place, max(0, elements - none) // (one - none), 2)))


def leaves(elements: tuple[Element, ...]) -> Iterator[Element]:
    """All elements of a dataset at any depth, sequences before what is in them."""
    for element in elements:
        yield element
        if isinstance(element, Items):
            for item in element.items:
                yield from leaves(item.elements)


def identifying(made: Specimen) -> frozenset[bytes]:
    """Values of an instance that say who it is of: names, dates, identifying UIDs, private texts, at any depth."""
    found: set[bytes] = set()
    for element in leaves(made.elements):
        if not isinstance(element, Leaf) or element.tag == 0x7FE00010:
            continue
        value = element.value.rstrip(b" \0")
        own = element.vr == "UI" and value.startswith(ROOT.encode("ascii"))
        private = element.vr == "LO" and element.tag >> 16 & 1 and element.tag & 0xFFFF > 0xFF
        if value and (element.vr in ("PN", "DA", "DT") or own or private):
            found.add(value)
    return frozenset(found)


def write(folder: Path, counts: Mapping[str, int], seed: int = SEED) -> dict[str, list[Path]]:
    """Write a corpus, one folder per shape.

    Args:
        folder: where it goes.
        counts: by name of shape, how many.
        seed: of the corpus.

    Returns:
        By name of shape, its files in order.
    """
    written: dict[str, list[Path]] = {}
    for shape, count in counts.items():
        (folder / shape).mkdir(parents=True, exist_ok=True)
        written[shape] = []
        for number in range(count):
            path = folder / shape / f"{number:04}.dcm"
            path.write_bytes(instance(shape, number, seed))
            written[shape].append(path)
    return written


__all__ = ["EXPLICIT", "SEED", "SHAPES", "Place", "Shape", "identifying", "instance", "sized", "specimen", "write"]

"""How the time for an instance grows: with its elements, with rules, with conditions.

Claims: linear from 300 over 3,000 to 30,000 elements; at most 3 us for each condition; nothing to be measured for a
rule without one.
"""

from collections.abc import Sequence
from functools import partial
from time import perf_counter

from benchmarks import corpus
from benchmarks.setting import NOW, PSEUDONYM, Setting, compiled, in_turn, project
from benchmarks.tables import Table, rounded
from karnak.dsl.compile import compile_profile
from karnak.dsl.source import Source
from karnak.runtime.deidentify import deidentify
from karnak.runtime.program import Program

ELEMENTS = (300, 3_000, 30_000)
CONDITIONS = (0, 5, 10, 20)
RULES = (0, 10, 30, 100)
ROUNDS = 15
INSTANCES = 10

# Attributes of the CT slices that conditions ask for, each one for another.
ASKED = """
    Modality Manufacturer StationName StudyDescription SeriesDescription ManufacturerModelName BodyPartExamined
    ProtocolName PatientSex PatientPosition ContrastBolusAgent ImageType RotationDirection FilterType ConvolutionKernel
    InstitutionName ScanOptions StudyID PatientAge RescaleType
""".split()
# Attributes that rules without a condition name; most are not in the slices, as in profiles for many modalities.
NAMED = """
    AcquisitionProtocolDescription AcquisitionContrast AnodeTargetMaterial CountsAccumulated DetectorType
    EchoPulseSequence ExposureIndex FieldOfViewShape GridFocalDistance HeartRate ImageLaterality KVP
    LossyImageCompressionRatio MagneticFieldStrength NumberOfAverages PatientOrientation RadiationMode SliceThickness
    TableHeight ViewPosition
""".split()


def profile(rules: Sequence[str]) -> Program:
    """The basic profile behind some rules."""
    text = 'name: "Growing"\nversion: "1.0"\nprofileElements:\n'
    basic = '  - name: "the rest"\n    codename: "basic.dicom.profile"\n'
    return compile_profile(Source("growing.yml", text + "".join(rules) + basic))


def conditions(count: int) -> list[str]:
    """Rules that ask for one attribute each."""
    return [
        f'  - name: "condition {number}"\n    codename: "action.on.specific.tags"\n    action: "K"\n'
        f'    condition: "tagValueContains(#Tag.{keyword}, \'zz{number}\')"\n    tags: ["ImageComments"]\n'
        for number, keyword in enumerate(ASKED[:count])
    ]


def static(count: int) -> list[str]:
    """Rules that ask for nothing."""
    return [
        f'  - name: "rule {number}"\n    codename: "action.on.specific.tags"\n    action: "K"\n'
        f'    tags: ["{NAMED[number % len(NAMED)]}", "({0x0018:04X},{0x9000 + number:04X})"]\n'
        for number in range(count)
    ]


def measure(setting: Setting) -> list[Table]:
    """Measure three series."""
    rounds = setting.rounds(ROUNDS)
    slices = [corpus.instance("ct", number) for number in range(setting.count(INSTANCES))]
    wanted = ELEMENTS[:2] if setting.quick else ELEMENTS
    sized = {count: [corpus.sized(count, number) for number in (0, 2, 4, 6, 8)] for count in wanted}
    basic = compiled("basic")
    grown = in_turn({count: partial(_take, basic, data) for count, data in sized.items()}, rounds)
    asked = in_turn({count: partial(_take, profile(conditions(count)), slices) for count in CONDITIONS}, rounds)
    ruled = in_turn({count: partial(_take, profile(static(count)), slices) for count in RULES}, rounds)
    return [
        Table(
            "Elements, basic profile, hardly any pixels",
            ("elements", "us", "us per 1,000 elements"),
            [(f"{count:,}", rounded(took * 1e6), rounded(took * 1e9 / count)) for count, took in grown.items()],
        ),
        _per_piece("Conditions before the basic profile, CT 535 kB in memory", "conditions", asked),
        _per_piece("Rules without conditions before the basic profile, CT 535 kB in memory", "rules", ruled),
    ]


def _per_piece(title: str, pieces: str, taken: dict[int, float]) -> Table:
    rows = [
        (str(count), rounded(took * 1e6), f"{(took - taken[0]) * 1e6 / count:+.2f}" if count else "")
        for count, took in taken.items()
    ]
    return Table(title, (pieces, "us", "us for each"), rows)


def _take(program: Program, data: Sequence[bytes], number: int) -> Sequence[float]:
    of = project(number)
    taken = []
    for one in data:
        start = perf_counter()
        outcome = deidentify(one, program, of, pseudonym=PSEUDONYM, now=NOW)
        taken.append(perf_counter() - start)
        if outcome.segments is None or outcome.fallback is not None:
            raise RuntimeError(outcome.reason or outcome.fallback)
    return taken

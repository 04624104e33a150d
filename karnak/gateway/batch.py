"""A batch: every file of some folders de-identified or morphed, none of them lost from sight.

Each file that is found ends as one Result, in the order of the walk, whatever number of
processes works on them. An output is in its place, whole, before its Result is seen. No
Result holds a value of an original instance; the path of its source does stay with it.
"""

import filecmp
import hashlib
import io
import os
import traceback
import warnings
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from karnak.errors import KarnakError
from karnak.gateway.contents import contents, write_pieces
from karnak.gateway.deliver.folder import relative_path
from karnak.gateway.deliver.parcel import Parcel
from karnak.gateway.placing import Holder, Shelf, Staging, place
from karnak.gateway.pseudonyms import ISSUER_OF_PATIENT_ID, PATIENT_ID, PseudonymSource
from karnak.gateway.results import Fate, Result, decided
from karnak.gateway.sniff import HEAD_BYTES, PREAMBLE_BYTES, Kind, sniff
from karnak.gateway.walk import Found, says, walk
from karnak.gateway.workers import run_in_order
from karnak.runtime.deidentify import Engine, deidentify
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Outcome, Status
from karnak.runtime.part10 import Instance, decode_instance, read_instance
from karnak.runtime.program import Program

_SAME = "it gives the same output as an earlier file"
_CONFLICT = "it gives other content under the same UIDs as an earlier file, whose output was kept"

# What each worker would have to load before its first file.
_LOADED = ("karnak.gateway.batch", "karnak.gateway.pseudonyms", "karnak.runtime.warmed")


@dataclass(frozen=True, slots=True)
class Work:
    """What is done to each file; a worker process gets a copy of it.

    Attributes:
        program: the compiled profile.
        project: name and secret.
        mode: "deid" or "morph".
        pseudonyms: where pseudonyms come from, or None when morphing.
        now: the time of the run, aware.
        staging: where outputs are written first, or None to write nothing.
        output_name: name of the output when there is one only, or None to name it by its UIDs.
        count_actions: also count what was done to elements; it takes longer than the work itself.
        digests: also give the digests of outputs; it takes longer than to write them.
        explain: also tell each decision, which makes Results large.
        engine: "tables", or "reference" for the interpreter.
    """

    program: Program
    project: Project
    mode: Literal["deid", "morph"]
    pseudonyms: PseudonymSource | None
    now: datetime
    staging: Path | None = None
    output_name: Path | None = None
    count_actions: bool = False
    digests: bool = False
    explain: bool = False
    engine: Engine = "tables"

    def __call__(self, found: Found) -> Result:
        """Process a file; whatever happens is a Result."""
        if found.skipped is not None:
            return Result(found, Fate.SKIPPED, found.skipped)
        if found.failed is not None:
            return Result(found, Fate.REJECTED, found.failed)
        try:
            # Warnings of libraries may quote the value that they warn of.
            with warnings.catch_warnings(action="ignore"):
                return self._process(found)
        except OSError as error:
            return Result(found, Fate.REJECTED, f"a file could not be read or written: {says(error)}")
        except KarnakError as error:
            return Result(found, Fate.REJECTED, str(error))
        except MemoryError:
            return Result(found, Fate.REJECTED, "it needs more memory than there is")
        except Exception as error:
            # The message of a foreign exception may quote a value; its place in the code doesn't.
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"
            return Result(found, Fate.REJECTED, f"a defect of Karnak stopped it, please report it: {where}")

    def _process(self, found: Found) -> Result:
        with io.FileIO(found.path) as file:
            head = os.pread(file.fileno(), HEAD_BYTES, 0)
            guess = sniff(head, os.fstat(file.fileno()).st_size)
            if guess.kind is Kind.OTHER:
                return Result(found, Fate.NOT_DICOM)
            if guess.kind is Kind.DICOMDIR:
                return Result(found, Fate.SKIPPED, "DICOMDIR")
            data = contents(file)
        try:
            if guess.kind is Kind.HEADLESS:
                data = b"".join((bytes(PREAMBLE_BYTES), b"DICM", data))
            read = read_instance if self.engine == "tables" else decode_instance
            instance = read(data, guess.transfer_syntax_uid)
        except KarnakError as error:
            if guess.kind is Kind.BARE:
                return Result(found, Fate.NOT_DICOM)
            return Result(found, Fate.REJECTED, str(error))
        if guess.kind is Kind.BARE and instance.sop_instance_uid is None:
            return Result(found, Fate.NOT_DICOM)
        return self._finished(found, self._outcome(instance), self._patient(instance))

    def _outcome(self, instance: Instance) -> Outcome:
        """Ask the engine."""
        pseudonym = None if self.pseudonyms is None else self.pseudonyms.pseudonym(instance, self.project)
        return deidentify(
            instance,
            self.program,
            self.project,
            pseudonym=pseudonym,
            mode=self.mode,
            now=self.now,
            engine=self.engine,
        )

    def _patient(self, instance: Instance) -> bytes | None:
        """Stand for the patient by something that only this project can compute."""
        patient_id, issuer = instance.text(PATIENT_ID), instance.text(ISSUER_OF_PATIENT_ID)
        if patient_id is None:
            return None
        return self.project.hash(f"patient:{len(patient_id)}:{patient_id}:{issuer}")[:16]

    def _finished(self, found: Found, outcome: Outcome, patient: bytes | None) -> Result:
        """Write what the engine gave under a temporary name."""
        pieces = outcome.segments
        name = staged = None
        sha256 = b""
        if outcome.status is Status.FORWARDED and pieces is not None:
            name = self.output_name or _name(outcome)
            if self.staging is not None:
                staged = self.staging / f"{found.number}.dcm"
                write_pieces(staged, pieces)
            # Where nothing is written, only digests can tell whether two outputs are the same.
            if self.digests or staged is None:
                sha256 = _digest(pieces)
        return Result(
            found,
            Fate(outcome.status),
            outcome.reason,
            replace(outcome, segments=None, changes=()),
            actions=Counter(str(change.action) for change in outcome.changes) if self.count_actions else {},
            decisions=decided(outcome.changes) if self.explain else {},
            name=name,
            size=0 if name is None else sum(map(len, pieces or ())),
            sha256=sha256,
            patient=patient,
            staged=staged,
        )


def _digest(pieces: Sequence[bytes | memoryview]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _name(outcome: Outcome) -> Path:
    """Name an output as a folder destination of the gateway does: by its own UIDs."""
    return relative_path(
        Parcel(
            segments=(),
            transfer_syntax_uid=outcome.transfer_syntax_uid or "",
            sop_class_uid=outcome.sop_class_uid or "",
            sop_instance_uid=outcome.sop_instance_uid or "",
            study_instance_uid=outcome.study_instance_uid,
            series_instance_uid=outcome.series_instance_uid,
        )
    )


def run(
    work: Work,
    inputs: Sequence[Path],
    output: Path | None,
    *,
    jobs: int,
    leave_out: Collection[Path] = (),
) -> Generator[Result, None, None]:
    """Process every file of the inputs; close the iterator to stop, and nothing unfinished stays.

    Args:
        work: what to do with a file.
        inputs: files and folders.
        output: the folder that outputs go to, or None to write nothing.
        jobs: number of processes; with 1 the work is done in this one.
        leave_out: files of this run that are no input.

    Raises:
        OSError: nothing can be written to the output folder.
    """
    with ExitStack() as stack:
        if output is not None:
            work = replace(work, staging=stack.enter_context(Staging(output)))
            leave_out = [*leave_out, *([] if work.output_name else [output])]
        found = walk(inputs, leave_out)
        if jobs == 1:
            results: Iterator[Result] = map(work, found)
        else:
            results = stack.enter_context(closing(run_in_order(work, found, jobs=jobs, lost=_lost, loaded=_LOADED)))
        shelf = Shelf()
        for result in results:
            yield _placed(result, shelf, output)


def _lost(found: Found, how: str) -> Result:
    return Result(found, Fate.REJECTED, f"the process that worked on it died ({how})")


def _placed(result: Result, shelf: Shelf, output: Path | None) -> Result:
    """Move a finished output to its place, unless an earlier file of this run took it."""
    if result.name is None:
        return result
    without = replace(result, fate=Fate.REJECTED, name=None, size=0, staged=None)
    first = shelf.holder(result.name)
    try:
        if first is not None:
            same = _is_same(result, first, output)
            if result.staged is not None:
                result.staged.unlink()
            if same:
                return replace(without, fate=Fate.DUPLICATE, reason=_SAME, first=first.found)
            return replace(without, reason=_CONFLICT, first=first.found)
        if result.staged is not None and output is not None:
            place(result.staged, output / result.name)
    except OSError as error:
        return replace(without, reason=f"its output could not be written: {says(error)}")
    shelf.keep(result.name, Holder(result.found, result.sha256))
    return replace(result, staged=None)


def _is_same(result: Result, first: Holder, output: Path | None) -> bool:
    """Tell whether an output has the contents of the one that took its name."""
    if result.staged is None or output is None or result.name is None:
        return first.sha256 == result.sha256
    return filecmp.cmp(result.staged, output / result.name, shallow=False)


def processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0))

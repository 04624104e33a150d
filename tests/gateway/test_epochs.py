"""Rules change while a study comes in: each instance leaves by one program, whichever destination takes it and when."""

import threading
import time
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from karnak.dsl.compile import compile_profile
from karnak.dsl.nodes import Source
from karnak.gateway.deliver.parcel import Parcel, Refused
from karnak.gateway.store.database import index_url, open_database
from karnak.runtime.program import Program
from tests.gateway.house import House, Shelf, deidentified, instance, make_plan, running

INSTANCES, RULES = 120, 12


def rules(number: int) -> Program:
    """A profile whose outputs say which one it was."""
    text = (
        f"name: Rules {number}\n"
        "profileElements:\n"
        "  - { name: mark, codename: expression.on.tags, tags: [ StationName ],\n"
        f"      arguments: {{ expr: \"Replace('RULES {number}')\" }} }}\n"
        "  - { name: basic, codename: basic.dicom.profile }\n"
    )
    return compile_profile(Source("rules.yml", text))


def marks(parcels: list[Parcel]) -> dict[str, str]:
    """By new SOP Instance UID, which rules an output says it is by."""
    read = [dcmread(BytesIO(b"".join(parcel.file()))) for parcel in parcels]
    return {str(one.SOPInstanceUID): str(one.StationName) for one in read}


def digests(house: House) -> dict[str, list[str]]:
    """By new SOP Instance UID, the programs that the ledger's rows name, one of each destination."""
    database = open_database(index_url(house.data_dir), upgrade=False)
    try:
        with database.reading() as connection:
            rows = connection.exec_driver_sql("SELECT new_sop_instance_uid, program FROM part").all()
    finally:
        database.close()
    found: dict[str, list[str]] = {}
    for uid, program in rows:
        found.setdefault(uid, []).append(program)
    return found


def test_no_instance_is_under_two_epochs(tmp_path: Path) -> None:
    programs = [rules(number) for number in range(RULES)]
    # The second one refuses every third: those come again when the rules are others.
    shelves = Shelf(), Shelf(answers=[Refused("not now") if n % 3 == 0 else None for n in range(2 * INSTANCES)])

    with running(make_plan(tmp_path, *(deidentified(f"d{i}", s, programs[0]) for i, s in enumerate(shelves)))) as house:

        def send() -> None:
            for number in range(INSTANCES):
                uid = f"1.2.3.{number}"
                house.receive(instance(SOPInstanceUID=uid, StationName="CT7"), sop_instance=uid)

        sender = threading.Thread(target=send)
        sender.start()
        reloads = 0
        while sender.is_alive():
            reloads += 1
            program = programs[reloads % RULES]
            outlets = [deidentified(f"d{i}", s, program) for i, s in enumerate(shelves)]
            house.next_plan[0] = (make_plan(tmp_path, *outlets), ())
            assert house.gateway.reload().is_new
            time.sleep(0.005)
        sender.join()
        house.settle(2 * INSTANCES)
        first, second = (marks(shelf.parcels) for shelf in shelves)
        rows = digests(house)
    assert len(first) == INSTANCES
    # The same instance, at both, by the same rules; and the ledger names them.
    assert first == second
    said = {f"RULES {number}": program.digest for number, program in enumerate(programs)}
    assert rows == {uid: [said[mark]] * 2 for uid, mark in first.items()}
    assert len(set(first.values())) > 2
    assert reloads > 2
